"""Killed at any moment, a sweep goes on, and ends with the results of an undisturbed one."""

import random
import signal
import sqlite3
import time
from collections import Counter

import pytest

from small_sweep import epochs_written, results


def finish(process, code: int = 0) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out


@pytest.mark.parametrize("most", [3, pytest.param(10, marks=pytest.mark.soak)])
def test_sigkill_at_random_moments_changes_nothing(sweep_file, command, tmp_path, most):
    quiet = finish(command("run", str(sweep_file), "--storage", "sqlite:///quiet.db", "--studies", "quiet"))
    assert "small: complete" in quiet
    expected = results(tmp_path / "quiet.db")
    assert len(expected["runs"]) == (3 * 4 + 1) * 2 + 4 * 2 * 2 + 2 * 2

    rng, kills, done = random.Random(5), 0, False
    while not done:
        process = command("run", str(sweep_file), "--storage", "sqlite:///killed.db", "--studies", "killed")
        database, before = tmp_path / "killed.db", epochs_written(tmp_path / "killed.db")
        # Wait until this process has written some epochs of its own, so that every life makes progress; die soon after.
        wanted = before + rng.randint(1, 8)
        while process.poll() is None and epochs_written(database) < wanted and kills < most:
            time.sleep(0.002)
        if kills < most and process.poll() is None:
            time.sleep(rng.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
        else:
            finish(process)
            done = True
    assert kills >= 3

    assert results(database) == expected
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        doubled = Counter(connection.execute("SELECT run_id, epoch FROM epochs").fetchall())
        assert max(doubled.values()) == 1
        assert connection.execute("SELECT max(attempt) FROM runs").fetchone()[0] > 1
        assert connection.execute("SELECT count(*) FROM trials WHERE state = 'RUNNING'").fetchone() == (0,)
    killed, undisturbed = (tmp_path / name / "small" / "report" / "summary.csv" for name in ("killed", "quiet"))
    assert killed.read_bytes() == undisturbed.read_bytes()


def test_an_interrupt_is_130_and_resumable(sweep_file, command, tmp_path):
    process = command("run", str(sweep_file), "--storage", "sqlite:///s.db")
    while process.poll() is None and epochs_written(tmp_path / "s.db") < 10:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("interrupted; run the same command again to continue\n")
    assert "Traceback" not in err
    assert finish(command("run", str(sweep_file), "--storage", "sqlite:///s.db")).startswith("small: complete")
    again = command("run", str(sweep_file), "--storage", "sqlite:///s.db")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0
    assert out.startswith("small: complete\n")
    assert "updates" not in err  # nothing was trained


def test_two_processes_cannot_run_one_sweep_at_once(sweep_file, command, tmp_path):
    sweep_file.write_text(sweep_file.read_text().replace("epochs = 3", "epochs = 1000"))
    first = command("run", str(sweep_file), "--storage", "sqlite:///s.db")
    while first.poll() is None and epochs_written(tmp_path / "s.db") < 3:
        time.sleep(0.002)
    second = command("run", str(sweep_file), "--storage", "sqlite:///s.db")
    _, err = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert err.startswith("error: sweep small is being run")
