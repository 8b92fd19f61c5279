"""Sweeps whose settings hang on earlier results: in waves, and the same after any kill and any extension."""

import signal
import sqlite3
import time

import optuna
import pytest

import decaybench
from decaybench import UserError
from decaybench.runner import Watcher
from runner.test_resume import epochs_written, finish
from small_sweep import results

TPE = """
name = "learning"

[task]
data = "digits"
model = "small-cnn"
epochs = 1
batch_size = 64
train_size = 256

[budget]
trials = 8
repeats = 2
confirm_seeds = 1

[search]
sampler = "tpe"
seed = 3
learning_rate = { low = 1e-2, high = 10.0, log = true }

[strategies.constant]
[strategies.late]
schedule = "multi_step"
nesterov = true
[strategies.doomed]
schedule = "constant"
learning_rate = 1e30
momentum = 0.0
"""
ADAPTIVE = TPE.replace('"tpe"', '"tpe"\nallocation = "adaptive"').replace("trials = 8", "trials = 4")
SWEEPS = {"tpe": TPE, "adaptive": ADAPTIVE}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(folder, text: str, database: str, **options):
    path = folder / f"{database}.toml"
    path.write_text(text)
    url = f"sqlite:///{folder}/{database}.db"
    outcome = decaybench.run(path, storage=url, studies=folder / database, **options)
    return decaybench.load(url, "learning"), outcome


@pytest.mark.parametrize("kind", SWEEPS)
def test_sigkill_changes_nothing(kind, command, folder):
    run(folder, SWEEPS[kind], "quiet")
    database = folder / "killed.db"

    def start():
        return command("run", "quiet.toml", "--storage", "sqlite:///killed.db", "--studies", "killed")

    for more in (11, 14):  # attempts begun and epochs written: within the search, early and late
        process, wanted = start(), epochs_written(database) + more
        while process.poll() is None and epochs_written(database) < wanted:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with sqlite3.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM runs WHERE phase = 'confirm'").fetchone() == (0,)
    assert finish(start()).startswith("learning: complete")
    assert results(database) == results(folder / "quiet.db")
    reports = [folder / name / "learning" / "report" / "summary.csv" for name in ("killed", "quiet")]
    assert reports[0].read_bytes() == reports[1].read_bytes()


def live(folder, database: str) -> list[tuple]:
    """All runs but the superseded, without the stacks, which a sweep that grew decided at other times."""
    return [row[:-2] for row in results(folder / f"{database}.db")["runs"] if not row[-1]]


def started_in_order(runs, keys: list[str], batch: int = 4) -> None:
    """Batch b of a key was begun only after its batch b - 1 had ended, and a stack holds one batch index."""
    search = runs[runs["phase"] == "search"].assign(batch=lambda r: r["slot"] // batch)
    assert (search.groupby("stack")["batch"].nunique() == 1).all()
    for _, mine in search.groupby(keys):
        for b in range(1, mine["batch"].max() + 1):
            before, after = mine[mine["batch"] == b - 1], mine[mine["batch"] == b]
            assert before["finished_at"].max() <= after["started_at"].min()


def test_a_tpe_sweep_is_trained_in_waves_and_grows_as_if_it_had_been_greater(folder):
    fresh, _ = run(folder, TPE.replace("repeats = 2", "repeats = 3"), "fresh")
    run(folder, TPE.replace("trials = 8", "trials = 6"), "grown")
    grown, _ = run(folder, TPE.replace("repeats = 2", "repeats = 3"), "grown")
    for frames in (fresh, grown):
        started_in_order(frames.runs, ["strategy", "repeat", "length"])
        counts = frames.runs[frames.runs["phase"] == "search"].groupby(["strategy", "repeat"]).size()
        assert counts.to_dict() == {
            (s, r): n for s, n in (("constant", 8), ("late", 8), ("doomed", 1)) for r in range(3)
        }
    assert live(folder, "grown") == live(folder, "fresh")
    search = fresh.runs[fresh.runs["phase"] == "search"]
    assert (search.groupby(["repeat", "slot"])["seed"].nunique() == 1).all()
    assert "batches of 4" in (folder / "fresh" / "learning" / "report" / "index.html").read_text()


def test_lengths_are_searches_of_their_own(folder):
    text = TPE.replace("epochs = 1", "epochs = 2").replace("repeats = 2", "repeats = 1\nlengths = [0.5, 1.0]")
    runs = run(folder, text, "lengths")[0].runs
    started_in_order(runs, ["strategy", "repeat", "length"])
    assert (runs.groupby("stack")["length"].nunique() == 1).all()
    mine = runs[(runs["phase"] == "search") & (runs["strategy"] == "constant")]
    rates = {length: [p["learning_rate"] for p in group["params"]] for length, group in mine.groupby("length")}
    assert not set(rates[0.5]) & set(rates[1.0])


class Heard(Watcher):
    def __init__(self) -> None:
        self.updates, self.left, self.shares = 0, 0, []

    def begin(self, name, updates_left, stack_size, device):
        self.left = updates_left

    def phase(self, phase, shares):
        self.shares.append((phase, list(shares)))

    def advance(self, updates):
        self.updates += updates


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_adaptive_sweep(folder, sampler):
    heard = Heard()
    frames, outcome = run(folder, ADAPTIVE.replace('"tpe"', f'"{sampler}"'), "shared", watcher=heard)
    search, confirm = (frames.runs[frames.runs["phase"] == phase] for phase in ("search", "confirm"))
    # trials x strategies slots per repeat, each given to one strategy
    for _, mine in search.groupby("repeat"):
        assert sorted(mine["slot"]) == list(range(12))
    started_in_order(frames.runs, ["repeat", "length"], batch=4 if sampler == "tpe" else 12)
    # one setting a repeat is confirmed: the best of all strategies
    best = search.sort_values(["validation_accuracy", "validation_loss"], ascending=[False, True]).groupby("repeat")
    assert len(confirm) == 2
    for run_ in confirm.itertuples():
        winner = best.get_group(run_.repeat).iloc[0]
        assert (run_.strategy, run_.slot, run_.params) == (winner["strategy"], winner["slot"], winner["params"])
    assert heard.updates == heard.left == (2 * 12 + 2) * 4
    phase, shares = heard.shares[0]
    # a slot that no strategy has yet is open to every one; random chooses them all at once
    assert phase == "search" and sum(share.planned for share in shares) == (8 + 3 * 16 if sampler == "tpe" else 24)
    last = [shares for phase, shares in heard.shares if phase == "search"][-1]
    assert sum(share.done for share in last) == sum(share.planned for share in last) == 24

    assert outcome.answer.startswith("A search for one good setting, not a comparison: the best setting of 2 repeats")
    assert outcome.answer.endswith("No verdict is given (the strategies shared their slots).")
    report = folder / "shared" / "learning" / "report"
    rows = (report / "verdicts.csv").read_text().splitlines()[1:]
    assert len(rows) == 3
    assert all(",no verdict,a search for one good setting, not a comparison" in row.replace('"', "") for row in rows)
    page = (report / "index.html").read_text()
    assert "The strategies shared the slots of each repeat" in page
    assert "Every strategy that searches something" not in page

    study = optuna.load_study(study_name="learning", storage=f"sqlite:///{folder}/shared.db")
    trials = {trial.user_attrs["run_id"]: trial for trial in study.trials}
    for row in search.itertuples():
        trial = trials[row.id]
        assert trial.params["strategy"] == row.strategy
        if row.strategy != "doomed":
            assert trial.params["learning_rate"] == row.params["learning_rate"]


def test_an_adaptive_sweep_grows_as_if_it_had_been_greater(folder):
    small = ADAPTIVE.replace("trials = 4", "trials = 2")  # 6 slots: the second batch of 4 is cut short
    great = ADAPTIVE.replace("trials = 4", "trials = 3").replace("repeats = 2", "repeats = 3")
    run(folder, small, "grown")
    run(folder, great, "grown")
    run(folder, great, "fresh")
    assert live(folder, "grown") == live(folder, "fresh")


def test_another_sampler_is_another_sweep(folder):
    run(folder, ADAPTIVE.replace("trials = 4", "trials = 2"), "one")
    with pytest.raises(UserError, match=r'search\.allocation: "adaptive" in the database, "balanced" in the file'):
        run(folder, TPE, "one")
    with pytest.raises(UserError, match=r"search\.batch: 4 in the database, 2 in the file"):
        run(folder, ADAPTIVE.replace("seed = 3", "seed = 3\nbatch = 2"), "one")


def test_a_lost_study_comes_back_with_the_same_settings(folder):
    frames, _ = run(folder, TPE.replace("repeats = 2", "repeats = 1"), "lost")
    url = f"sqlite:///{folder}/lost.db"
    before = optuna.load_study(study_name="learning", storage=url).trials
    optuna.delete_study(study_name="learning", storage=url)
    run(folder, TPE.replace("repeats = 2", "repeats = 1"), "lost")
    after = optuna.load_study(study_name="learning", storage=url).trials

    def said(trials) -> dict:
        return {trial.user_attrs["run_id"]: (trial.params, trial.value) for trial in trials}

    assert said(after) == said(before)
    assert len(after) == (frames.runs["phase"] == "search").sum()
