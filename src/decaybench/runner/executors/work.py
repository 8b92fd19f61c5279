"""Stacks are trained by whoever runs ``decaybench work`` on the same database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from decaybench import store
from decaybench.runner.executors.base import AHEAD, LISTEN_S, Ended, Patience
from decaybench.runner.progress import Watcher
from decaybench.store import Claim, Storage


@contextmanager
def open_work(storage: Storage, name: str, watcher: Watcher) -> Iterator["Work"]:
    """The executor for a sweep in this database."""
    executor = Work(storage, name, watcher)
    try:
        yield executor
    finally:
        executor.close()


class Work:
    """Leaves a sweep's stacks in the database, and counts the workers that are there."""

    public = True

    def __init__(self, storage: Storage, name: str, watcher: Watcher) -> None:
        self._storage, self._name, self._watcher = storage, name, watcher
        self._patience = Patience(watcher.trouble, "start one with: decaybench work")
        self._waiting = self._able = 0
        self._refusing = set[str]()

    @property
    def workers(self) -> int:
        """The number of workers that train this sweep, at least 1."""
        return max(1, self._able)

    @property
    def full(self) -> bool:
        """Whether every worker will find another stack."""
        return self._waiting >= AHEAD * self.workers

    def measure(self) -> None:
        """Nothing to do: workers see that the sweep has no provenance."""

    def start(self, claim: Claim) -> None:
        """Nothing to do but to count: the stack is offered to all."""
        self._waiting += 1

    def finished(self) -> Iterator[Ended]:
        """Wait, and look who is there. How the stacks stand is in the database."""
        time.sleep(LISTEN_S)
        self._able = 0
        for worker in store.present(self._storage):
            if (why := worker.refused.get(self._name)) is None:
                self._able += 1
            elif worker.id not in self._refusing:
                self._refusing.add(worker.id)
                self._watcher.trouble(f"worker {worker.name} trains nothing of this sweep: {why}")
        self._patience.see(self._able)
        self._waiting = store.waiting(self._storage, store.sweep_id(self._name))
        return iter(())

    def close(self) -> None:
        """Withdraw what nobody has taken. What is being trained is trained to its end."""
        store.withdraw(self._storage, store.sweep_id(self._name))
