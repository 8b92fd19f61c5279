"""Killed at any moment, a sweep goes on, and ends with the results of an undisturbed one."""

import random
import signal
import sqlite3
import time
from collections import Counter

import pytest

from decaybench import UserError
from decaybench.cli import main
from small_sweep import SMALL, epochs_written, results
from trained import kill, start, summary, train, wait_for_epochs


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def quiet(cache, tmp_path_factory):
    """The database of a sweep that nothing disturbed."""
    database = tmp_path_factory.mktemp("quiet") / "quiet.db"
    train(SMALL, database)
    assert len(results(database)["runs"]) == (3 * 4 + 1) * 2 + 4 * 2 * 2 + 2 * 2
    return database


@pytest.mark.parametrize("most", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_sigkill_at_random_moments_changes_nothing(quiet, tmp_path, most):
    killed, rng, kills = tmp_path / "killed.db", random.Random(5), 0
    while kills < most:
        before = epochs_written(killed)
        process = start(SMALL, killed)
        # Wait until this process has written some epochs of its own, so that every life makes progress; die soon after.
        wait_for_epochs(killed, before + rng.randint(1, 8), process)
        time.sleep(rng.random() * 0.05)
        if not process.is_alive():  # it was quicker
            break
        kill(process)
        kills += 1
    assert kills >= 3
    train(SMALL, killed)
    assert_undisturbed(killed, quiet)


def assert_undisturbed(killed, quiet):
    """A sweep that was killed and has been finished is the one that was left alone, and nothing is there twice."""
    assert results(killed) == results(quiet)
    with sqlite3.connect(killed) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        doubled = Counter(connection.execute("SELECT run_id, epoch FROM epochs").fetchall())
        assert max(doubled.values()) == 1
        assert connection.execute("SELECT max(attempt) FROM runs").fetchone()[0] > 1
        assert connection.execute("SELECT status FROM sweeps").fetchone() == ("complete",)
        assert connection.execute("SELECT count(*) FROM trials WHERE state = 'RUNNING'").fetchone() == (0,)
    assert summary(killed, "small") == summary(quiet, "small")


def test_the_command_goes_on_after_an_interrupt_which_is_130_and_after_a_kill(
    quiet, sweep_file, command, tmp_path, monkeypatch, capsys
):
    arguments, database, codes = ["run", str(sweep_file), "--storage", "sqlite:///s.db"], tmp_path / "s.db", []
    for sent, epochs in ((signal.SIGINT, 10), (signal.SIGKILL, 20)):
        process, wanted = command(*arguments), epochs_written(database) + epochs
        while process.poll() is None and epochs_written(database) < wanted:
            time.sleep(0.002)
        process.send_signal(sent)
        _, err = process.communicate(timeout=60)
        codes.append(process.returncode)
        if sent == signal.SIGINT:
            assert err.endswith("interrupted; run the same command again to continue\n")
            assert "Traceback" not in err
    assert codes == [130, -signal.SIGKILL]

    monkeypatch.chdir(tmp_path)
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == 0, err
        assert out.startswith("small: complete\n")
        said.append(err)
    assert "updates" in said[0] and "updates" not in said[1]  # nothing was trained again
    assert_undisturbed(database, quiet)
    assert (tmp_path / "studies" / "small" / "report" / "summary.csv").read_text() == summary(quiet, "small")


def test_two_processes_cannot_run_one_sweep_at_once(tmp_path):
    longer, database = SMALL.replace("epochs = 3", "epochs = 1000"), tmp_path / "s.db"
    first = start(longer, database)
    try:
        wait_for_epochs(database, 3, first)
        with pytest.raises(UserError, match=r"^sweep small is being run"):
            train(longer, database)
        assert first.is_alive()
    finally:
        kill(first)
