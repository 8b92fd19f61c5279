"""A full disk, a lock and a lost server make a sweep wait. It goes on by itself, with the same results."""

import os
import sqlite3
import subprocess
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

import postgres
from decaybench import store
from decaybench.runner import Share, Watcher, audit, dispatch, pausing, run_sweep
from decaybench.search import read_study
from decaybench.store import storage as connections
from decaybench.sweep import Sweep
from small_sweep import SMALL, results, without_stacks
from trained import train

ONE = SMALL.replace("epochs = 3", "epochs = 1")  # as in small_ran


class Faults(Watcher):
    """Lets something fail after every so many reports of progress, so many times, and mends it when the sweep waits."""

    def __init__(self, times: int, every: int, fail: Callable[[], object], mend: Callable[[], object]) -> None:
        self.said: list[str] = []
        self._left, self._every, self._fail, self._mend = times, every, fail, mend
        self._heard, self._failing = 0, False

    def advance(self, updates: int) -> None:
        self._hear()

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        self._hear()

    def _hear(self) -> None:
        self._heard += 1
        if self._left and not self._failing and self._heard % self._every == 0:
            self._left, self._failing = self._left - 1, True
            self._fail()

    def trouble(self, line: str) -> None:
        self.said.append(line)
        if line.startswith("the sweep waits"):
            assert self._failing
            self._mend()
            self._failing = False

    def assert_waited(self, times: int, why: str) -> None:
        assert self._left == 0, self._heard
        assert len(self.said) == 2 * times
        for waits, goes_on in zip(self.said[::2], self.said[1::2], strict=True):
            assert waits.startswith("the sweep waits, and goes on by itself: ") and waits.endswith(why)
            assert goes_on.startswith("the sweep goes on after ") and goes_on.endswith(" s")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with little space."""
    (disk := tmp_path / "disk").mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk]).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)  # a pool may have the database open


def fill(file: Path) -> None:
    with open(file, "ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


@pytest.mark.parametrize(
    ("workers", "times"),
    [(1, 5), pytest.param(1, 15, marks=pytest.mark.soak), pytest.param(2, 5, marks=pytest.mark.soak)],
)
def test_a_full_disk_is_waited_out(small_disk, small_ran, monkeypatch, workers, times):
    monkeypatch.setattr(dispatch, "PROBE_S", 0.2)
    monkeypatch.setenv("DECAYBENCH_CHECKPOINT_S", "0.001")  # without space, they are left out
    database, filler = small_disk / "d.db", small_disk / "filler"
    watcher = Faults(times, 1 if times > 5 else 3, lambda: fill(filler), filler.unlink)
    train(ONE, database, workers=workers, watcher=watcher)
    watcher.assert_waited(times, f"{database}: database or disk is full")
    compared = results if workers == 1 else without_stacks
    assert compared(database) == compared(small_ran.folder / "studies" / "decaybench.db")


@pytest.mark.parametrize(
    ("patience", "held"), [(0.05, 1.0), pytest.param(connections.BUSY_TIMEOUT, 30.0, marks=pytest.mark.soak)]
)
def test_a_lock_is_waited_out(tmp_path, small_ran, monkeypatch, patience, held):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", patience)
    database, threads = tmp_path / "d.db", list[threading.Thread]()

    def hold(locked: threading.Event) -> None:
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            time.sleep(held)

    def lock() -> None:
        locked = threading.Event()
        threads.append(threading.Thread(target=hold, args=(locked,)))
        threads[-1].start()
        locked.wait()

    watcher = Faults(1, 4, lock, lambda: None)
    train(ONE, database, watcher=watcher)
    threads[0].join()
    if held > patience:
        watcher.assert_waited(1, "has been locked by another process for 0.05 s; try again when that process is done")
    else:
        assert not watcher.said
    assert results(database) == results(small_ran.folder / "studies" / "decaybench.db")


@pytest.mark.parametrize(("workers", "times"), [(1, 2), pytest.param(2, 5, marks=pytest.mark.soak)])
def test_a_server_that_is_restarted_is_waited_for(
    tmp_path, postgres_server, postgres_url, small_ran, monkeypatch, workers, times
):
    monkeypatch.setattr("decaybench.runner.ownership.CHECK_S", 0.0)
    stop, begin = postgres.interruption(postgres_server)
    watcher = Faults(times, 4, stop, begin)
    sweep = Sweep.from_mapping(tomllib.loads(ONE), "small.toml")
    assert run_sweep(sweep, url=postgres_url, data_root=None, workers=workers, watcher=watcher)
    watcher.assert_waited(times, "")
    with store.open_storage(postgres_url, create=False) as opened:
        kept = store.load(opened, "small")
        assert not audit(store.frames(kept), kept.runs, kept.looks, read_study(opened.url, "small"))
    with store.open_storage(f"sqlite:///{small_ran.folder}/studies/decaybench.db", create=False) as opened:
        undisturbed = store.load_frames(opened, "small")
    changing = ["started_at", "finished_at", *(["stack", "updates_computed"] if workers > 1 else [])]
    assert store.frames(kept).runs.drop(columns=changing).equals(undisturbed.runs.drop(columns=changing))
    assert [*store.frames(kept).traces] == [*undisturbed.traces]


def test_ctrl_c_ends_a_wait(tmp_path, monkeypatch):
    database = tmp_path / "d.db"
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr(pausing, "LONGEST_S", 60.0)
    with closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as other:
        interrupt = lambda: os.kill(os.getpid(), 2)  # noqa: E731
        watcher = Faults(1, 4, lambda: other.execute("BEGIN IMMEDIATE"), interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(ONE, database, watcher=watcher)
        other.execute("ROLLBACK")
    assert len(watcher.said) == 1
    train(ONE, database)
