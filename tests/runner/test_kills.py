"""Whoever is killed, and wherever the sweep is stored, it ends as if nobody had been.

A round is a sweep during which drivers and workers are killed at random moments, until it is complete. Rounds follow
until so many have been killed.
"""

import multiprocessing
import os
import random
import signal
import sqlite3
import time
import tomllib
from contextlib import closing, suppress
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from sqlalchemy import text

from decaybench import store
from decaybench.errors import UserError
from decaybench.findings import collect, join, summarise
from decaybench.findings.decision import decision
from decaybench.runner import run_sweep
from decaybench.sweep import Sweep
from looking import LOOKS
from postgres import empty
from trained import FORKS, kill

VARIES = ["attempt", "stack", "trial_number", "updates_computed", "started_at", "finished_at"]


def drive(url: str, workers: int, forked: bool) -> None:
    """Run the sweep until it is complete, with a checkpoint after every few updates."""
    os.environ["DECAYBENCH_CHECKPOINT_S"] = "0.02"
    store.RENEW_S = 0.5  # type: ignore[misc]  # how much longer than the lease the driver waits
    if forked:
        multiprocessing.get_context = lambda _: FORKS  # type: ignore[assignment, method-assign]
    sweep = Sweep.from_mapping(tomllib.loads(LOOKS), "s.toml")
    try:
        run_sweep(sweep, url=url, data_root=None, workers=workers)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def everything(url: str) -> tuple[Any, ...]:
    """What must not depend on who was killed: runs, epochs, traces, looks and the answer."""
    with store.open_storage(url, create=False) as storage:
        kept = store.load(storage, "looks")
        if storage.file is not None:
            with storage.read() as connection:
                assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
                assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    frames = store.frames(kept)
    runs = frames.runs.drop(columns=[name for name in VARIES if name in frames.runs])
    epochs = frames.epochs.drop(columns="seconds")
    assert not epochs.duplicated(["run_id", "epoch"]).any()
    assert epochs.groupby("run_id").size().reindex(runs["id"], fill_value=0).tolist() == runs["epochs_done"].tolist()
    traces = {run_id: rates.tobytes() for run_id, rates in frames.traces.items()}
    answer = decision(summarise(collect(join([kept]))))
    return runs.to_csv(index=False), epochs.to_csv(index=False), traces, kept.looks, answer, kept.sweep["status"]


def holders(url: str) -> list[int]:
    """The processes that hold a stack."""
    with suppress(UserError), store.open_storage(url, create=False) as storage, storage.read() as connection:
        held = connection.execute(text("SELECT worker FROM stacks WHERE state = 'held'")).scalars()
        return [int(worker.rpartition(":")[2]) for worker in held]
    return []


def a_round(url: str, workers: int, forked: bool, most: int, rng: random.Random) -> int:
    """Kill up to ``most`` while the sweep is trained to its end; returns how many were killed."""
    killed = 0
    process: BaseProcess | None = None
    while process is None or process.is_alive() or process.exitcode != 0:
        if process is None or not process.is_alive():
            process = FORKS.Process(target=drive, args=(url, workers, forked))
            process.start()
        while process.is_alive() and not (held := holders(url)):
            time.sleep(0.01)
        time.sleep(rng.random() * 0.4)
        if killed == most or not process.is_alive():
            process.join()
            continue
        victim = rng.choice([process.pid, *(pid for pid in held if pid != process.pid)])
        if victim == process.pid:
            kill(process)
        else:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        killed += 1
    return killed


@pytest.fixture(scope="module")
def quiet(looks) -> tuple[Any, ...]:
    return everything(f"sqlite:///{looks}")


@pytest.mark.parametrize(
    ("least", "workers"),
    [(2, 1), pytest.param(25, 1, marks=pytest.mark.soak), pytest.param(50, 2, marks=pytest.mark.soak)],
)
@pytest.mark.parametrize("server", [pytest.param(False, marks=pytest.mark.soak), True])  # test_resume has it in a file
def test_sigkill_of_drivers_and_workers(quiet, tmp_path, request, server, least, workers):
    rng, killed, number = random.Random(14), 0, 0
    address = request.getfixturevalue("postgres_server") if server else None
    while killed < least:
        if address is not None:
            empty(address)
            url = address.render_as_string(hide_password=False)
        else:
            url = f"sqlite:///{tmp_path}/{number}.db"
        killed += a_round(url, workers, least < 10, least - killed, rng)
        number += 1
        assert everything(url) == quiet
    print(f"{killed} killed in {number} rounds")


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_a_worker_that_comes_back_after_its_stack_was_given_away_writes_nothing(quiet, tmp_path, times):
    rng, stale, number = random.Random(20), 0, 0
    while stale < times:
        url = f"sqlite:///{tmp_path}/{number}.db"
        process = FORKS.Process(target=drive, args=(url, 2, times == 1))
        process.start()
        while process.is_alive() and stale < times:
            held = [pid for pid in holders(url) if pid != process.pid]
            time.sleep(rng.random() * 0.05)
            if not held:
                continue
            with suppress(ProcessLookupError):
                os.kill(held[0], signal.SIGSTOP)
                try:
                    stale += given_away(url, held[0], process)
                finally:
                    os.kill(held[0], signal.SIGCONT)
        process.join()
        assert process.exitcode == 0
        assert everything(url) == quiet
        number += 1


def given_away(url: str, pid: int, driver: BaseProcess) -> bool:
    """End the lease of what the stopped process holds, and wait until it is another attempt's; False if it held none."""
    with store.open_storage(url, create=False) as storage:
        mine = f"state = 'held' AND worker LIKE '%:{pid}'"
        try:
            with closing(sqlite3.connect(storage.file, timeout=0.2)) as connection, connection:
                attempts = dict(connection.execute(f"SELECT stack, attempt FROM stacks WHERE {mine}").fetchall())
                connection.execute(f"UPDATE stacks SET lease_until = 0 WHERE {mine}")
        except sqlite3.OperationalError:  # it was stopped while it wrote, and holds the database's lock
            return False
        for stack, attempt in attempts.items():
            now = attempt
            while now == attempt and driver.is_alive():
                time.sleep(0.01)
                with storage.read() as connection:
                    now = connection.execute(text(f"SELECT attempt FROM stacks WHERE stack = {stack}")).scalar_one()
            return now > attempt
    return False


@pytest.mark.soak  # test_checkpoints has it in this process, and test_workers of several
@pytest.mark.parametrize("times", [20])
def test_signals_to_leave_lose_nothing(quiet, tmp_path, times):
    rng, sent, number = random.Random(21), 0, 0
    while sent < times:
        url, done = f"sqlite:///{tmp_path}/{number}.db", False
        while not done:
            process = FORKS.Process(target=drive, args=(url, rng.choice([1, 2]), True))
            process.start()
            while process.is_alive() and not holders(url):
                time.sleep(0.01)
            time.sleep(rng.random() * 0.4)
            if sent < times and process.is_alive():
                asked = time.monotonic()
                os.kill(process.pid, rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]))
                process.join()
                assert time.monotonic() - asked < 10
                sent += 1
            process.join()
            done = process.exitcode == 0
        assert everything(url) == quiet
        number += 1
