"""Dask and executorlib themselves: the numbers of one process, whichever of their workers die."""

import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from decaybench.runner.executors import slurm
from elsewhere import ONE, drive, held, without_stacks, working
from trained import train

LONGER = ONE.replace("epochs = 3", "epochs = 12")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("quiet") / "d.db"
    train(LONGER, database)
    return database


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECAYBENCH_STORAGE", f"sqlite:///{tmp_path / 'd.db'}")
    return tmp_path / "d.db"


def killer(database: Path, times: int, killed: list[int]) -> threading.Thread:
    """A thread that kills so many workers while they hold a stack, and makes their leases end soon."""

    def run() -> None:
        rng, deadline = random.Random(5), time.monotonic() + 300
        while len(killed) < times and time.monotonic() < deadline:
            time.sleep(rng.random() * 0.3)
            if not database.exists():
                continue
            try:
                names = set(held(database).values())
            except sqlite3.OperationalError:  # it has no tables yet
                continue
            for pid in sorted({int(name.rpartition(":")[2]) for name in names} - {os.getpid(), *killed})[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                with closing(sqlite3.connect(database, timeout=60)) as connection:
                    connection.execute("UPDATE stacks SET lease_until = 0 WHERE worker LIKE ?", (f"%:{pid}",))
                    connection.commit()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_dask_cluster_gives_the_numbers_of_one_process(quiet, database):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        assert drive(database, LONGER, quiet, executor="dask", scheduler=cluster.scheduler_address) == []
    assert without_stacks(database) == without_stacks(quiet)


@pytest.mark.soak
def test_a_killed_worker_of_dask_changes_nothing(quiet, database):
    distributed = pytest.importorskip("distributed")
    killed: list[int] = []
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        thread = killer(database, 2, killed)  # a nanny replaces each
        drive(database, LONGER, quiet, executor="dask", scheduler=cluster.scheduler_address)
        thread.join()
    assert len(killed) == 2 and without_stacks(database) == without_stacks(quiet)


@pytest.mark.soak
def test_a_killed_process_of_executorlib_changes_nothing(quiet, database, monkeypatch):
    executorlib = pytest.importorskip("executorlib")

    def pool(workers: int, folder: str):
        options = {"block_allocation": True, "restart_limit": slurm.RESTARTS, "hostname_localhost": True}
        return executorlib.SingleNodeExecutor(max_workers=workers, cache_directory=folder, **options)

    monkeypatch.setattr(slurm, "_pool", pool)
    killed: list[int] = []
    thread = killer(database, 1, killed)
    drive(database, LONGER, quiet, executor="slurm", workers=2)
    thread.join()
    assert len(killed) == 1 and without_stacks(database) == without_stacks(quiet)


@pytest.mark.soak
def test_killed_plain_workers_change_nothing(quiet, database):
    killed: list[int] = []
    with working(database.parent, "a", "b", "c"):
        thread = killer(database, 2, killed)
        drive(database, LONGER, quiet, executor="work")
        thread.join()
    assert len(killed) == 2 and without_stacks(database) == without_stacks(quiet)
