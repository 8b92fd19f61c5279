"""A stack that is interrupted goes on from its checkpoint, with the results of one that never was."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from decaybench import UserError
from decaybench.runner import crew, worker
from decaybench.runner.checkpoints import checkpoint_every
from decaybench.training.update import Update
from small_sweep import SMALL, results
from trained import Told, train

ONE = SMALL.replace("repeats = 2", "repeats = 1").replace("trials = 4", "trials = 2").replace("seeds = 2", "seeds = 1")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("quiet") / "d.db"
    train(ONE, database)
    return database


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The numbers of the updates that are made from now on."""
    made: list[int] = []
    whole = Update.__call__

    def noted(self, state, order, batch, step):
        made.append(int(step))
        return whole(self, state, order, batch, step)

    monkeypatch.setattr(Update, "__call__", noted)
    monkeypatch.setattr(crew, "glance", lambda *_: 0.0)  # which trains too
    return made


def kept(database: Path) -> list[Path]:
    return sorted(database.parent.glob(f".{database.name}.checkpoints/*"))


def ended(database: Path) -> list[tuple[int, str | None]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT attempt, ended FROM attempts WHERE stack = 0 ORDER BY attempt").fetchall()


def die(monkeypatch: pytest.MonkeyPatch, database: Path, calls: int) -> None:
    """Train, with a checkpoint after every update, until epochs are written for this time; then die."""
    whole, left = worker.store.write_epochs, iter(range(calls))

    def dies(*arguments):
        if next(left) == calls - 1:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setenv("DECAYBENCH_CHECKPOINT_S", "1e-9")
        patch.setattr(worker.store, "write_epochs", dies)
        with pytest.raises(KeyboardInterrupt):
            train(ONE, database)


def test_a_killed_stack_goes_on_from_its_last_checkpoint(quiet, tmp_path, monkeypatch, updates):
    database = tmp_path / "d.db"
    die(monkeypatch, database, 2)
    steps = max(updates) + 1
    assert len(kept(database)) == 1 and updates == list(range(steps))  # two epochs of the first stack
    updates.clear()
    watcher = Told()
    train(ONE, database, watcher=watcher)
    assert updates[0] == steps, "its next update is that of the third epoch"
    assert results(database) == results(quiet)
    assert ended(database) == [(1, None), (2, "finished")] and kept(database) == []
    assert watcher.made == watcher.total and not watcher.lines


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data[:-20], "damaged"),
        (lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:], "damaged"),
        (lambda data: b"", "damaged"),
        (lambda data: data.replace(b"torch 2", b"torch 1", 1), "of another version"),
    ],
)
def test_what_cannot_be_used_is_said_and_the_stack_begins_anew(quiet, tmp_path, monkeypatch, updates, change, why):
    database = tmp_path / "d.db"
    die(monkeypatch, database, 2)
    (file,) = kept(database)
    file.write_bytes(change(file.read_bytes()))
    updates.clear()
    watcher = Told()
    train(ONE, database, watcher=watcher)
    assert updates[0] == 0
    (line,) = watcher.lines
    assert line.startswith(f"stack 0 begins anew: its checkpoint is {why}")
    assert results(database) == results(quiet)


def test_a_checkpoint_without_its_epochs_is_not_used(quiet, tmp_path, monkeypatch, updates):
    """A stale worker may leave one that is ahead of what it was allowed to write."""
    database = tmp_path / "d.db"
    die(monkeypatch, database, 2)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM epochs")
        connection.execute("UPDATE runs SET epochs_done = 0")
    updates.clear()
    train(ONE, database)
    assert updates[0] == 0
    assert results(database) == results(quiet)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_training_after_the_update_and_nothing_is_trained_again(quiet, tmp_path, updates, which):
    database = tmp_path / "d.db"
    main = threading.main_thread().ident

    def send() -> None:
        while len(updates) < 3:
            time.sleep(0.001)
        signal.pthread_kill(main, which)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        train(ONE, database)
    sender.join()
    assert ended(database) == [(1, "left")] and len(kept(database)) == 1
    train(ONE, database)
    first = updates[: updates.index(max(updates)) + 1]
    assert first == list(range(len(first))), "each update of the first stack was made once"
    assert results(database) == results(quiet)


@pytest.mark.parametrize("given", ["0", "-1", "soon", "nan"])
def test_the_interval_must_be_a_number(monkeypatch, given):
    monkeypatch.setenv("DECAYBENCH_CHECKPOINT_S", given)
    with pytest.raises(UserError, match=rf"^DECAYBENCH_CHECKPOINT_S: must be a number .* above 0, got '{given}'$"):
        checkpoint_every()
    os.environ.pop("DECAYBENCH_CHECKPOINT_S")
    assert checkpoint_every() == 60
