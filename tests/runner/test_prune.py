"""Pruning: who is stopped, that nobody else notices, and the same after any kill."""

import sqlite3
import tomllib
from collections import Counter
from statistics import median

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from decaybench.sweep import Sweep, is_spared
from small_sweep import epochs_written, results
from trained import kill, start, train, wait_for_epochs

PLAIN = """
name = "pruned"

[task]
data = "digits"
model = "small-cnn"
epochs = 4
batch_size = 64
train_size = 128
validation_size = 100
test_size = 100

[budget]
trials = 7
repeats = 2
confirm_seeds = 1
lengths = [0.25, 1.0]

[search]
seed = 3
learning_rate = { low = 1e-3, high = 5.0, log = true }

[strategies.constant]
[strategies.late]
schedule = "multi_step"
[strategies.nesterov]
schedule = "constant"
nesterov = true
[strategies.alone]
schedule = "constant"
learning_rate = 0.1
"""
PRUNED = PLAIN.replace("seed = 3", "seed = 3\nprune = { spare = 0.4 }")
TPE = PRUNED.replace("seed = 3", 'seed = 3\nsampler = "tpe"').replace("lengths = [0.25, 1.0]", "")
RUNG, STEPS = 2, 2


def run(folder, text: str, database: str, **options):
    return train(text, folder / f"{database}.db", **options)


@pytest.fixture(scope="module")
def plain(folder):
    return run(folder, PLAIN, "plain")


@pytest.fixture(scope="module")
def pruned(folder):
    return run(folder, PRUNED, "pruned")


def search(frames, length: float = 1.0):
    rows = frames.runs
    return rows[(rows["phase"] == "search") & (rows["length"] == length)]


def at_rung(frames, row) -> float:
    """The validation accuracy at the rung, chance where the run had diverged."""
    mine = frames.epochs[(frames.epochs["run_id"] == row.id) & (frames.epochs["epoch"] == RUNG)]
    chance = frames.sweep["provenance"]["chance_accuracy"]
    return chance if mine.empty else max(chance, mine["validation_accuracy"].item())


def decided(frames, blocks) -> dict[tuple[str, int, int], str | None]:
    """What pruning must do, from the curves of an unpruned sweep; ``blocks`` says which slots are compared."""
    sweep, found = Sweep.from_mapping(tomllib.loads(PRUNED), "pruned.toml"), {}
    for (label, repeat), mine in search(frames).groupby(["strategy", "repeat"]):
        values = {row.slot: at_rung(frames, row) for row in mine.itertuples()}
        reached = {row.slot for row in mine.itertuples() if row.epochs_done >= RUNG}
        for block in blocks:
            here = [slot for slot in block if slot in values]
            for slot in here:
                worse = values[slot] < median(values[slot] for slot in here) and slot in reached
                spared = is_spared(sweep, label, repeat, 1.0, slot)
                found[label, repeat, slot] = ("spared" if spared else "stopped") if worse else None
    return found


def done(frames) -> dict[tuple[str, int, int], str | None]:
    rows = search(frames)
    marks = rows["pruned"].astype(object).where(rows["pruned"].notna(), None)
    return dict(zip(zip(rows["strategy"], rows["repeat"], rows["slot"], strict=True), marks, strict=True))


def test_who_is_worse_than_the_median_at_the_rung_is_stopped_or_spared(plain, pruned):
    marks = done(pruned)
    assert marks == decided(plain, [range(7)])
    counts = Counter(marks.values())
    assert counts["stopped"] >= 5 and counts["spared"] >= 3
    # One configuration on seven seeds is compared like seven configurations.
    assert {mark for (label, *_), mark in marks.items() if label == "alone"} == {"stopped", "spared", None}
    unpruned = pruned.runs[(pruned.runs["phase"] == "confirm") | (pruned.runs["length"] < 1.0)]
    assert unpruned["pruned"].isna().all() and plain.runs["pruned"].isna().all()


def test_nobody_notices(plain, pruned):
    """A stopped run keeps its bits up to its end; every other run has those of the unpruned sweep."""
    key = ["phase", "strategy", "repeat", "slot", "length", "seed"]
    before = plain.runs.set_index(key)
    values = ["params", "outcome", "epochs_done", "validation_loss", "validation_accuracy", "test_loss"]
    curve = ["epoch", "train_loss", "validation_loss", "validation_accuracy", "learning_rate"]
    epochs = [dict(list(frames.epochs.groupby("run_id")[curve])) for frames in (plain, pruned)]
    compared = Counter()
    for row in pruned.runs[pruned.runs["phase"] == "search"].itertuples():
        same = before.loc[tuple(getattr(row, name) for name in key)]
        traces = plain.traces[same.id], pruned.traces[row.id]
        compared[row.pruned if row.pruned in ("stopped", "spared") else "kept"] += 1
        if row.pruned == "stopped":
            assert (row.outcome, row.epochs_done) == ("finished", RUNG)
            assert traces[1].tobytes() == traces[0][: RUNG * STEPS].tobytes()
            assert row.validation_loss == epochs[1][row.id]["validation_loss"].iloc[-1]
            assert row.validation_accuracy == epochs[1][row.id]["validation_accuracy"].iloc[-1]
        else:
            assert traces[1].tobytes() == traces[0].tobytes()
            for name in values:
                np.testing.assert_array_equal(getattr(row, name), same[name])
        if row.epochs_done:
            curves = [epochs[0][same.id].to_numpy()[: row.epochs_done], epochs[1][row.id].to_numpy()]
            assert np.array_equal(*curves)
    assert len(compared) == 3 and min(compared.values()) >= 3


def test_a_group_is_never_cut(plain, pruned):
    assert (search(pruned).groupby(["strategy", "repeat"])["stack"].nunique() == 1).all()
    stacks = search(plain).groupby(["strategy", "repeat"])["stack"].nunique()
    assert (stacks > 1).any()


def test_a_stopped_run_is_not_retrained_and_reads_no_test(pruned):
    stopped = search(pruned)[search(pruned)["pruned"] == "stopped"]
    assert stopped[["test_loss", "test_accuracy"]].isna().all(axis=None)
    confirm = pruned.runs[pruned.runs["phase"] == "confirm"]
    key = ["strategy", "repeat", "slot"]
    assert not set(map(tuple, stopped[key].values)) & set(map(tuple, confirm[key].values))
    spared = search(pruned)[(search(pruned)["pruned"] == "spared") & (search(pruned)["outcome"] == "finished")]
    assert spared[["test_loss", "test_accuracy"]].notna().all(axis=None)


def test_the_study_calls_them_pruned_and_is_mended_so(folder, pruned):
    url = f"sqlite:///{folder}/pruned.db"

    def said() -> dict:
        trials = optuna.load_study(study_name="pruned", storage=url).trials
        return {t.user_attrs["run_id"]: (t.state, t.value, t.intermediate_values) for t in trials}

    before = said()
    for row in pruned.runs[pruned.runs["phase"] == "search"].itertuples():
        state, value, reported = before[row.id]
        assert state == (TrialState.PRUNED if row.pruned == "stopped" else TrialState.COMPLETE)
        if row.pruned == "stopped":
            assert value == row.validation_accuracy
            assert reported == {RUNG: value}
    optuna.delete_study(study_name="pruned", storage=url)
    run(folder, PRUNED, "pruned")
    assert said() == before


def everything(database) -> tuple:
    """All results, and what pruning did; also what the study was told of stopped runs."""
    with sqlite3.connect(database) as connection:
        key = "phase, strategy, repeat, slot, length, seed"
        marks = connection.execute(f"SELECT {key}, pruned, updates_computed FROM runs ORDER BY {key}").fetchall()
        states = connection.execute(
            """SELECT a.value_json, t.state, v.value FROM trials t
            JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'run_id'
            JOIN trial_values v ON v.trial_id = t.trial_id ORDER BY 1"""
        ).fetchall()
    return results(database), marks, states


def test_sigkill_changes_nothing(folder, pruned, tmp_path):
    database = tmp_path / "killed.db"
    for more in (60, 110):  # attempts begun and epochs written: of 46 slots, 23 of them with up to four epochs
        wanted = epochs_written(database) + more
        process = start(PRUNED, database)
        wait_for_epochs(database, wanted, process)
        assert process.is_alive()
        kill(process)
    train(PRUNED, database)
    assert everything(database) == everything(folder / "pruned.db")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT max(attempt) FROM runs").fetchone()[0] > 1


def test_two_processes_decide_the_same(folder, pruned, forked_workers):
    run(folder, PRUNED, "two", workers=2)
    ours, theirs = everything(folder / "two.db"), everything(folder / "pruned.db")
    assert ours[2] == theirs[2]
    assert [row[:-1] for row in ours[1]] == [row[:-1] for row in theirs[1]]
    assert ours[0]["traces"] == theirs[0]["traces"] and ours[0]["epochs"] == theirs[0]["epochs"]


def test_a_sweep_keeps_the_chance_with_which_it_began(tmp_path, forked_workers):
    """If guessing is always right, no trial is worse than a diverged one, so pruning stops none."""
    database, text = tmp_path / "d.db", PRUNED.replace("lengths = [0.25, 1.0]", "").replace("= 0.1", "= 1e30")
    train(text, database, time_limit=0)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE sweeps SET provenance = json_set(provenance, '$.chance_accuracy', 1.0)")
    frames = train(text, database, workers=2)
    assert frames.sweep["provenance"]["chance_accuracy"] == 1
    assert frames.runs["pruned"].isna().all()
    study = optuna.load_study(study_name="pruned", storage=f"sqlite:///{database}")
    values = [trial.value for trial in study.trials if trial.params["strategy"] == "alone"]
    assert values == [1.0] * 14


def test_added_slots_are_compared_with_one_another_and_no_decision_is_taken_again(folder, plain):
    small = PRUNED.replace("trials = 7", "trials = 4")
    first = run(folder, small, "grown")
    second = run(folder, PRUNED, "grown")
    assert done(first) == decided(plain, [range(4)])
    assert done(second) == decided(plain, [range(4), range(4, 7)])
    assert {"stopped", "spared"} <= set(done(second).values())
    before = first.runs.set_index("id")
    after = second.runs.set_index("id").loc[before.index]
    searched = before["phase"] == "search"
    columns = [name for name in before.columns if name != "trial_number"]
    assert repr(before.loc[searched, columns].to_dict()) == repr(after.loc[searched, columns].to_dict())


def test_under_tpe_a_batch_is_a_group(folder):
    frames = run(folder, TPE, "tpe")
    marks = done(frames)
    batches = search(frames).assign(batch=lambda rows: rows["slot"] // 4)
    assert (batches.groupby(["strategy", "repeat", "batch"])["stack"].nunique() == 1).all()
    stopped = 0
    for (label, repeat, _), mine in batches.groupby(["strategy", "repeat", "batch"]):
        values = [at_rung(frames, row) for row in mine.itertuples()]
        for row, value in zip(mine.itertuples(), values, strict=True):
            worse = value < median(values) and row.epochs_done >= RUNG
            assert (marks[label, repeat, row.slot] is not None) == worse
            stopped += marks[label, repeat, row.slot] == "stopped"
    assert stopped >= 3
    study = optuna.load_study(study_name="pruned", storage=f"sqlite:///{folder}/tpe.db")
    assert sum(trial.state == TrialState.PRUNED for trial in study.trials) == stopped
