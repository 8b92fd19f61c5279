"""The training processes: this one, or one per core, each with one thread and its own database connection."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from decaybench import store
from decaybench.findings.selection import Chance
from decaybench.runner.environment import Environment, choose_device, prepare_environment
from decaybench.runner.pruning import Pruning
from decaybench.runner.worker import Stack, train_stack
from decaybench.store import RunResult, Storage
from decaybench.sweep import Sweep

LISTEN_S = 0.25  # seconds between progress updates while stacks are trained


@dataclass(frozen=True)
class Job:
    """A stack to train."""

    stack: Stack


@dataclass(frozen=True)
class Bench:
    """What every process needs to train stacks of one sweep."""

    sweep: Sweep
    storage: Storage
    environment: Environment
    width: int

    def train(self, job: Job, advance: Callable[[int], None]) -> list[RunResult]:
        """Train a stack in this process and write its results."""
        return train_stack(
            self.storage,
            self.sweep.task,
            job.stack,
            self.environment,
            advance,
            pruning=Pruning(self.sweep, job.stack.runs, self.environment.chance),
            width=self.width,
        )


class Pool:
    """Trains jobs in ``workers`` processes: ``start`` begins a job, ``finished`` waits until one has ended."""

    def __init__(self, bench: Bench, data_root: Path | None, workers: int, advance: Callable[[int], None]) -> None:
        self.workers = workers
        self._bench, self._advance = bench, advance
        self._executor: Executor | None = None
        self._running: dict[Future[list[RunResult]], Any] = {}
        if workers > 1:
            # spawn, not fork: a forked process would inherit this one's threads and locks.
            spawn = multiprocessing.get_context("spawn")
            self._made = spawn.SimpleQueue()
            environment = bench.environment
            given = (bench.sweep.spec(), bench.storage.url, data_root, environment.device.type, environment.chance)
            self._executor = ProcessPoolExecutor(workers, spawn, _begin, (*given, bench.width, self._made))

    @property
    def full(self) -> bool:
        """Whether every process has work and, if there are several processes, another job is waiting."""
        return len(self._running) >= self.workers + (self.workers > 1)

    def start(self, job: Job, name: Any) -> None:
        """Train a job; ``finished`` returns its results with ``name``. With one process, it is trained in this call."""
        if self._executor is not None:
            self._running[self._executor.submit(_train, job)] = name
            return
        future: Future[list[RunResult]] = Future()
        try:
            future.set_result(self._bench.train(job, self._advance))
        except Exception as error:
            future.set_exception(error)
        self._running[future] = name

    def finished(self) -> Iterator[tuple[Any, Future[list[RunResult]]]]:
        """Wait until at least one job has ended, and yield the name and results of each that has; none if idle."""
        done: set[Future[list[RunResult]]] = set()
        while self._running and not done:
            done, _ = wait(self._running, LISTEN_S, FIRST_COMPLETED)
            self._listen()
        for future in done:
            yield self._running.pop(future), future

    def _listen(self) -> None:
        while self._executor is not None and not self._made.empty():
            self._advance(self._made.get())

    def close(self) -> None:
        """Stop the processes. Jobs that are still being trained are abandoned, and trained again at the next start."""
        if self._executor is None:
            return
        if self._running:
            for process in multiprocessing.active_children():
                process.terminate()
        self._executor.shutdown(cancel_futures=True)


@contextmanager
def open_pool(bench: Bench, data_root: Path | None, workers: int, advance: Callable[[int], None]) -> Iterator[Pool]:
    """A pool that is closed at the end, whatever happens."""
    pool = Pool(bench, data_root, workers, advance)
    try:
        yield pool
    finally:
        pool.close()


# In a process of the pool: its bench, and the queue for its progress.
_bench: Bench
_made: "multiprocessing.queues.SimpleQueue[int]"


def _begin(
    spec: dict[str, Any], url: str, data_root: Path | None, device: str, chance: Chance, width: int, made: Any
) -> None:
    """Prepare a process of the pool."""
    global _bench, _made
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the main one handles it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    sweep = Sweep.from_mapping(spec, "sweep")
    environment = replace(prepare_environment(sweep, data_root, choose_device(device)), chance=chance)
    _bench, _made = Bench(sweep, store.open_storage(url, create=False), environment, width), made


def _die_with_parent() -> None:
    """End this process if its parent is killed, so that it never writes to a sweep that another process resumed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train(job: Job) -> list[RunResult]:
    return _bench.train(job, _made.put)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
