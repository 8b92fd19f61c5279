"""Several processes: the same numbers, and any of them may die."""

import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from decaybench.cli import main
from decaybench.runner import Watcher
from small_sweep import SMALL, epochs_written, without_stacks
from trained import FORKS, command, kill, start, train, wait_for_epochs

LONGER = SMALL.replace("epochs = 3", "epochs = 8")  # so that there is time to kill it


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The results of one process that nothing disturbed."""
    database = tmp_path_factory.mktemp("quiet") / "quiet.db"
    train(LONGER, database)
    return without_stacks(database)


def children(pid: int) -> list[int]:
    """The new interpreters that train for this process."""
    own = about(pid, f"task/{pid}/children").split()
    return [int(pid) for pid in own if b"spawn_main" in about(int(pid), "cmdline")]


def two_workers(process: BaseProcess) -> list[int]:
    """The process's two workers, as soon as both are there: attempts are written before they are."""
    while len(found := children(process.pid)) < 2 and process.is_alive():
        time.sleep(0.01)
    assert len(found) == 2
    return found


def about(pid: int, what: str) -> bytes:
    """What the kernel says of a process; nothing of one that ended meanwhile, which any child may do at any time."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def alive(pid: int) -> bool:
    return about(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])


class Counts(Watcher):
    """Notes the processes that train while they report updates."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def advance(self, updates: int) -> None:
        self.seen.update(children(os.getpid()))


@pytest.mark.soak  # test_resume has it of processes that are forked, and the next one of those that are killed
def test_two_processes_give_the_numbers_of_one(quiet, tmp_path):
    counts = Counts()
    train(LONGER, tmp_path / "two.db", workers=2, watcher=counts)
    assert len(counts.seen) == 2
    assert without_stacks(tmp_path / "two.db") == quiet


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_whoever_is_killed_the_sweep_goes_on_and_ends_the_same(quiet, tmp_path, monkeypatch, capsys, times):
    monkeypatch.chdir(tmp_path)
    if times == 1:  # those that outlive their parent are new interpreters here, too
        monkeypatch.setattr(multiprocessing, "get_context", lambda _: FORKS)
    (tmp_path / "longer.toml").write_text(LONGER)
    rng, database = random.Random(2), tmp_path / "killed.db"
    begun = 3 * 8  # attempts of the stacks that are handed out at once, before any process trains
    for _ in range(times):  # a process that started the others takes them with it
        process = start(LONGER, database, workers=2)
        wait_for_epochs(database, epochs_written(database) + begun + rng.randint(1, 60), process)
        workers = two_workers(process)
        assert process.is_alive()
        kill(process)
        deadline = time.monotonic() + 20
        while any(map(alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(alive, workers)), "workers outlived the process that started them"
    killed: list[int] = []
    killer = threading.Thread(target=kill_workers, args=(database, times, rng, killed))
    killer.start()
    with pytest.raises(SystemExit) as end:  # one of the others is replaced
        main(["run", "longer.toml", "--storage", "sqlite:///killed.db", "--workers", "2"])
    killer.join()
    err = capsys.readouterr().err
    assert end.value.code == 0, err
    assert len(set(killed)) == times
    assert err.count("failed (a training process was killed (out of memory?)); it is tried again") == times
    assert without_stacks(database) == quiet


def kill_workers(database: Path, times: int, rng: random.Random, killed: list[int]) -> None:
    """Kill processes that hold a stack, so many, each a little after the last."""
    deadline = time.monotonic() + 300
    while len(killed) < times and time.monotonic() < deadline:
        time.sleep(rng.random() * 0.3)
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            held = connection.execute("SELECT worker FROM stacks WHERE state = 'held'").fetchall()
        own = {process.pid for process in multiprocessing.active_children()}
        for pid in sorted({int(worker.rpartition(":")[2]) for (worker,) in held} & own):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            break


def test_ctrl_c_stops_all_of_them(sweep_file, tmp_path):
    sweep_file.write_text(SMALL.replace("epochs = 3", "epochs = 60"))
    process = command(tmp_path, "run", str(sweep_file), "--storage", "sqlite:///s.db", "--workers", "2")
    wait_for_epochs(tmp_path / "s.db", 40, process)  # 32 attempts, then epochs
    workers = two_workers(process)
    os.kill(process.pid, signal.SIGINT)
    process.join(300)
    err = (tmp_path / "err").read_text()
    assert process.exitcode == 130, err
    assert err.endswith("interrupted; run the same command again to continue\n")
    assert not any(map(alive, workers))
