"""Killed at any moment, a sweep goes on, and ends with the results of an undisturbed one."""

import os
import random
import signal
import sqlite3
import time
from collections import Counter

import pytest

from decaybench import UserError
from decaybench.cli import main
from decaybench.runner import driver, planner, worker
from looking import LOOKS, decided, kept
from small_sweep import SMALL, epochs_written, results
from trained import command, kill, start, summary, train, wait_for_epochs


@pytest.fixture(scope="module")
def quiet(looks):
    """The database of a sweep that nothing disturbed."""
    assert len(kept(looks).looks) == 4
    return looks


@pytest.mark.parametrize(
    ("most", "workers"),
    [(3, 1), pytest.param(10, 1, marks=pytest.mark.soak), pytest.param(10, 2, marks=pytest.mark.soak)],
)
def test_sigkill_at_random_moments_changes_nothing(quiet, tmp_path, most, workers):
    killed, rng, kills = tmp_path / "killed.db", random.Random(5), 0
    while kills < most:
        before = epochs_written(killed)
        process = start(LOOKS, killed, workers=workers)
        # Wait until this process has written some epochs of its own, so that every life makes progress; die soon after.
        wait_for_epochs(killed, before + rng.randint(10, 60), process)
        time.sleep(rng.random() * 0.05)
        if not process.is_alive():  # it was quicker
            break
        kill(process)
        kills += 1
    assert kills >= 3
    train(LOOKS, killed, workers=workers)
    assert_undisturbed(killed, quiet, stacks=workers == 1)


MOMENTS = [
    (planner.store, "set_stacks", 1),  # the first step has its rows, but not their stacks
    (driver.StudyMirror, "tell", 3),  # between our commit and Optuna's
    (planner.store, "write_look", 1),  # a look is taken, but not written
    (planner.store, "add_runs", 1),  # it is written, but not what follows from it
    (planner.store, "set_stacks", 2),
    (driver.StudyMirror, "tell", 2),
    (planner.store, "write_look", 2),
    (planner.store, "supersede", 3),
    (driver.store, "finish_runs", 4),
]


def test_death_at_each_moment_of_a_step_and_of_a_look_changes_nothing(quiet, tmp_path, monkeypatch):
    database = tmp_path / "died.db"
    for owner, name, time_ in MOMENTS:
        with monkeypatch.context() as patch:
            dies_at(patch, owner, name, time_)
            with pytest.raises(KeyboardInterrupt):
                train(LOOKS, database)
    train(LOOKS, database)
    assert_undisturbed(database, quiet)


RESIDUAL = """
name = "residual"
[task]
data = "digits"
model = "resnet8"
epochs = 2
batch_size = 16
train_size = 48
validation_size = 40
test_size = 100
augment = ["crop1", "flip"]
average = { ema = 0.8 }
[budget]
trials = 2
repeats = 1
confirm_seeds = 0
[strategies.constant]
[strategies.cosine]
floor = 0.0
[strategies.wild]
schedule = "constant"
learning_rate = 1e30
"""


def test_batch_norm_averages_and_augmentation_end_the_same(tmp_path, monkeypatch, forked_workers):
    train(RESIDUAL, tmp_path / "quiet.db")
    with monkeypatch.context() as patch:
        dies_at(patch, worker.store, "write_epochs", 2)  # in the second epoch
        with pytest.raises(KeyboardInterrupt):
            train(RESIDUAL, tmp_path / "died.db")
    train(RESIDUAL, tmp_path / "died.db", workers=2)
    assert without_stacks(tmp_path / "died.db") == without_stacks(tmp_path / "quiet.db")


def dies_at(patch, owner, name, time_) -> None:
    """Let a function raise, and do nothing, when it is called for this time."""
    whole, calls = getattr(owner, name), iter(range(1, 1000))

    def dies(*arguments, **options):
        if next(calls) == time_:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    patch.setattr(owner, name, dies)


def test_two_processes_decide_the_same(quiet, tmp_path, forked_workers):
    train(LOOKS, tmp_path / "two.db", workers=2)
    assert without_stacks(tmp_path / "two.db") == without_stacks(quiet)
    assert decided(tmp_path / "two.db") == decided(quiet)


def without_stacks(database) -> dict[str, list[tuple]]:
    """The results; which runs are stacked together is a matter of how many processes there are."""
    found = results(database)
    return found | {"runs": [(*run[:-2], run[-1]) for run in found["runs"]]}


def assert_undisturbed(killed, quiet, *, stacks=True, again=True):
    """A sweep that was killed and has been finished is the one that was left alone, and nothing is there twice.

    With ``again``, some runs were trained more than once.
    """
    of = results if stacks else without_stacks
    assert of(killed) == of(quiet)
    assert decided(killed) == decided(quiet)
    with sqlite3.connect(killed) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        doubled = Counter(connection.execute("SELECT run_id, epoch FROM epochs").fetchall())
        assert max(doubled.values()) == 1
        assert not again or connection.execute("SELECT max(attempt) FROM runs").fetchone()[0] > 1
        assert connection.execute("SELECT status FROM sweeps").fetchone() == ("complete",)
        assert connection.execute("SELECT count(*) FROM trials WHERE state = 'RUNNING'").fetchone() == (0,)
    assert summary(killed, "looks") == summary(quiet, "looks")


def test_the_command_goes_on_after_an_interrupt_which_is_130_and_after_a_kill(
    quiet, sweep_file, tmp_path, monkeypatch, capsys, undrawn
):
    sweep_file.write_text(LOOKS)
    arguments, database, codes = ["run", str(sweep_file), "--storage", "sqlite:///s.db"], tmp_path / "s.db", []
    monkeypatch.chdir(tmp_path)
    for sent, epochs in ((signal.SIGINT, 60), (signal.SIGKILL, 120)):
        wanted = epochs_written(database) + epochs
        process = command(tmp_path, *arguments)
        wait_for_epochs(database, wanted, process)
        os.kill(process.pid, sent)
        process.join(60)
        codes.append(process.exitcode)
        if sent == signal.SIGINT:
            err = (tmp_path / "err").read_text()
            assert err.endswith("interrupted; run the same command again to continue\n")
            assert "Traceback" not in err
    assert codes == [130, -signal.SIGKILL]

    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == 0, err
        assert out.startswith("looks: complete\n")
        said.append(err)
    assert "updates" in said[0] and "updates" not in said[1]  # nothing was trained again
    assert_undisturbed(database, quiet, again=False)  # two strokes may both fall between stacks
    assert (tmp_path / "studies" / "looks" / "report" / "summary.csv").read_text() == summary(quiet, "looks")


def test_two_processes_cannot_run_one_sweep_at_once(tmp_path):
    longer, database = SMALL.replace("epochs = 3", "epochs = 1000"), tmp_path / "s.db"
    first = start(longer, database)
    try:
        wait_for_epochs(database, 3, first)
        with pytest.raises(
            UserError, match=rf"^sweep small is being run on .*s\.db by process {first.pid} on .* since 20"
        ):
            train(longer, database)
        assert first.is_alive()
    finally:
        kill(first)
