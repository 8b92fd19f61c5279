"""Sweeps whose settings hang on earlier results: in waves, and the same after any kill and any extension."""

import shutil
import sqlite3
from functools import cache

import optuna
import pytest

from decaybench import UserError
from decaybench.runner import Watcher
from looking import decided
from small_sweep import epochs_written, results
from trained import kill, start, train, wait_for_epochs

TPE = """
name = "learning"

[task]
data = "digits"
model = "small-cnn"
epochs = 1
batch_size = 32
train_size = 128
validation_size = 100
test_size = 100

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
SWEEPS = {"tpe": TPE, "adaptive": ADAPTIVE, "adaptive random": ADAPTIVE.replace('"tpe"', '"random"')}


class Heard(Watcher):
    def __init__(self) -> None:
        self.updates, self.left, self.more_, self.shares = 0, 0, 0, []

    def begin(self, name, updates_left, stack_size, device):
        self.left = updates_left

    def more(self, updates):
        self.more_ += updates

    def phase(self, phase, shares):
        self.shares.append((phase, list(shares)))

    def advance(self, updates):
        self.updates += updates


def run(folder, text: str, database: str, **options):
    return train(text, folder / f"{database}.db", **options)


@pytest.fixture(scope="module")
def undisturbed(folder):
    """A kind of sweep, trained once: what is stored of it in KIND.db, and what a watcher heard."""

    @cache
    def trained(kind: str):
        heard = Heard()
        return run(folder, SWEEPS[kind], kind, watcher=heard), heard

    return trained


@pytest.mark.parametrize("kind", ["tpe", "adaptive"])
def test_sigkill_changes_nothing(kind, undisturbed, folder, tmp_path):
    undisturbed(kind)
    database = tmp_path / "killed.db"
    for more in (11, 14):  # attempts begun and epochs written: within the search, early and late
        wanted = epochs_written(database) + more
        process = start(SWEEPS[kind], database)
        wait_for_epochs(database, wanted, process)
        assert process.is_alive()
        kill(process)
        with sqlite3.connect(database) as connection:
            assert connection.execute("SELECT count(*) FROM runs WHERE phase = 'confirm'").fetchone() == (0,)
    train(SWEEPS[kind], database)
    assert results(database) == results(folder / f"{kind}.db")
    assert decided(database, "learning") == decided(folder / f"{kind}.db", "learning")


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


def test_a_tpe_sweep_is_trained_in_waves_and_grows_as_if_it_had_been_greater(undisturbed, folder):
    fresh, _ = undisturbed("tpe")
    run(folder, TPE.replace("trials = 8", "trials = 6"), "grown")
    grown = run(folder, TPE, "grown")
    for frames in (fresh, grown):
        started_in_order(frames.runs, ["strategy", "repeat", "length"])
        counts = frames.runs[frames.runs["phase"] == "search"].groupby(["strategy", "repeat"]).size()
        assert counts.to_dict() == {(s, r): 8 for s in ("constant", "late", "doomed") for r in range(2)}
    assert live(folder, "grown") == live(folder, "tpe")
    search = fresh.runs[fresh.runs["phase"] == "search"]
    assert (search.groupby(["repeat", "slot"])["seed"].nunique() == 1).all()


def test_lengths_are_searches_of_their_own(folder):
    text = TPE.replace("epochs = 1", "epochs = 2").replace("repeats = 2", "repeats = 1\nlengths = [0.5, 1.0]")
    runs = run(folder, text, "lengths").runs
    started_in_order(runs, ["strategy", "repeat", "length"])
    assert (runs.groupby("stack")["length"].nunique() == 1).all()
    mine = runs[(runs["phase"] == "search") & (runs["strategy"] == "constant")]
    rates = {length: [p["learning_rate"] for p in group["params"]] for length, group in mine.groupby("length")}
    assert not set(rates[0.5]) & set(rates[1.0])


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_adaptive_sweep(undisturbed, folder, sampler):
    kind = "adaptive" if sampler == "tpe" else "adaptive random"
    frames, heard = undisturbed(kind)
    search, confirm = (frames.runs[frames.runs["phase"] == phase] for phase in ("search", "confirm"))
    # trials x strategies slots per repeat, each given to one strategy
    for _, mine in search.groupby("repeat"):
        assert sorted(mine["slot"]) == list(range(12))
    started_in_order(frames.runs, ["repeat", "length"], batch=4 if sampler == "tpe" else 12)
    # The three best configurations of all strategies are retrained, and the chosen one again.
    best = search[search["outcome"] == "finished"].sort_values(
        ["validation_accuracy", "validation_loss"], ascending=[False, True]
    )
    places = {(run.strategy, run.repeat, run.slot): run.params for run in best.head(3).itertuples()}
    assert len(confirm) == 3 + 1 and (frames.runs["phase"] != "replay").all()
    for run_ in confirm.itertuples():
        assert places[run_.strategy, run_.repeat, run_.slot] == run_.params
    assert heard.updates == heard.left + heard.more_ == (2 * 12 + 4) * 4
    phase, shares = heard.shares[0]
    # a slot that no strategy has yet is open to every one; random chooses them all at once
    assert phase == "search" and sum(share.planned for share in shares) == (8 + 3 * 16 if sampler == "tpe" else 24)
    last = [shares for phase, shares in heard.shares if phase == "search"][-1]
    assert sum(share.done for share in last) == sum(share.planned for share in last) == 24

    url = f"sqlite:///{folder}/{kind}.db"
    study = optuna.load_study(study_name="learning", storage=url)
    trials = {trial.user_attrs["run_id"]: trial for trial in study.trials}
    for row in search.itertuples():
        trial = trials[row.id]
        assert trial.params["strategy"] == row.strategy
        if row.strategy != "doomed":
            assert trial.params["learning_rate"] == row.params["learning_rate"]


def test_an_adaptive_sweep_grows_as_if_it_had_been_greater(undisturbed, folder):
    small = ADAPTIVE.replace("trials = 4", "trials = 2")  # 6 slots: the second batch of 4 is cut short
    run(folder, small, "grown adaptive")
    run(folder, ADAPTIVE, "grown adaptive")
    undisturbed("adaptive")
    assert live(folder, "grown adaptive") == live(folder, "adaptive")


def test_another_sampler_is_another_sweep(undisturbed, folder):
    undisturbed("adaptive")
    with pytest.raises(UserError, match=r'search\.allocation: "adaptive" in the database, "balanced" in the file'):
        run(folder, TPE, "adaptive")
    with pytest.raises(UserError, match=r"search\.batch: 4 in the database, 2 in the file"):
        run(folder, ADAPTIVE.replace("seed = 3", "seed = 3\nbatch = 2"), "adaptive")


def test_a_lost_study_comes_back_with_the_same_settings(undisturbed, folder, tmp_path):
    frames, _ = undisturbed("tpe")
    url = f"sqlite:///{tmp_path}/lost.db"
    shutil.copyfile(folder / "tpe.db", tmp_path / "lost.db")
    before = optuna.load_study(study_name="learning", storage=url).trials
    optuna.delete_study(study_name="learning", storage=url)
    run(tmp_path, TPE, "lost")
    after = optuna.load_study(study_name="learning", storage=url).trials

    def said(trials) -> dict:
        return {trial.user_attrs["run_id"]: (trial.params, trial.value) for trial in trials}

    assert said(after) == said(before)
    assert len(after) == (frames.runs["phase"] == "search").sum()
