"""A plain worker: a process that trains the public stacks of any sweep in a database, until it is asked to leave."""

import os
import platform
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import torch

from decaybench import store
from decaybench.errors import UserError, reason
from decaybench.runner.elsewhere import Workers
from decaybench.runner.leaving import LEAVE, Leaving
from decaybench.runner.worker import Worker, renewing, worker_name
from decaybench.store import Claim, Storage, WorkerRow
from decaybench.training import Interrupted

POLL_S = 1.0
"""Seconds, on average, between two looks for work."""
AGAIN_S = 60.0
"""Seconds after which a sweep that could not be trained here is tried again, since data may have come meanwhile."""


def run_worker(
    *,
    url: str,
    data_root: Path | None,
    device: str = "auto",
    name: str | None = None,
    idle: float | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Train the public stacks of the sweeps in a database, the oldest first.

    Returns after ``idle`` seconds without work, None for never. What it does goes to ``say``, line by line. When it
    is asked to leave, it makes a checkpoint and raises KeyboardInterrupt. Raises UserError if the database cannot be
    opened.
    """
    with store.open_storage(store.absolute(url), create=True) as storage, Leaving(LEAVE) as leaving:
        worker = _Plain(storage, data_root, device, name, leaving, say)
        try:
            with worker.seen(), renewing(worker.stay):
                worker.work(idle)
        except Interrupted:
            raise KeyboardInterrupt from None


class _Plain:
    def __init__(
        self,
        storage: Storage,
        data_root: Path | None,
        device: str,
        name: str | None,
        leaving: Leaving,
        say: Callable[[str], None],
    ) -> None:
        self._storage, self._leaving, self._say = storage, leaving, say
        self._id, self._name = str(uuid4()), name or worker_name()
        self._workers = Workers(storage, data_root, device, leaving, self._name)
        self._again = dict[str, float]()  # by sweep: when to look again whether it can be trained here
        self._refused: dict[str, str] = {}
        self._trouble = ""

    @contextmanager
    def seen(self) -> Iterator[None]:
        """Be in the table of workers for as long as the block runs."""
        device, versions = self._workers.device.type, {"decaybench": version("decaybench"), "torch": torch.__version__}
        now = datetime.now(UTC)
        store.enter(
            self._storage,
            WorkerRow(self._id, self._name, platform.node(), os.getpid(), device, versions, now, 0.0, {}),
        )
        self._say(f"worker {self._name} on {device}: looks for stacks in {self._storage.where}")
        try:
            yield
        finally:
            with suppress(UserError):  # it is forgotten in time
                store.leave(self._storage, self._id)

    def stay(self) -> None:
        """Say that this worker is still there."""
        store.stay(self._storage, self._id, self._refused)

    def work(self, idle: float | None) -> None:
        """Train whatever there is, until there was nothing for ``idle`` seconds. Raises Interrupted."""
        last = time.monotonic()
        while idle is None or time.monotonic() - last < idle:
            self._leaving.check()
            try:
                trained = self._train_one()
                self._trouble = ""
            except UserError as error:  # the database is locked or out of reach
                trained = False
                if str(error) != self._trouble:
                    self._say(f"{error}; it is tried again")
                self._trouble = str(error)
            if trained:
                last = time.monotonic()
            else:
                time.sleep(POLL_S * random.uniform(0.5, 1.5))  # many workers do not look at the same moment
        self._say(f"left after {idle:.0f} s without work")

    def _train_one(self) -> bool:
        """Train the oldest stack that this worker can train; whether there was one."""
        for name in store.wanting(self._storage):
            if (worker := self._worker(name)) is None:
                continue
            if (claim := store.take_next(self._storage, store.sweep_id(name), self._name)) is not None:
                self._train(name, worker, claim)
                return True
        return False

    def _train(self, name: str, worker: Worker, claim: Claim) -> None:
        begun = time.monotonic()
        self._say(f"{name}: trains stack {claim.stack}, attempt {claim.attempt}")
        worker.train_held(claim)
        standing = store.standings(self._storage, claim.sweep_id, [claim.stack])[claim.stack]
        ended = standing.state if standing.attempt == claim.attempt else "another worker's"
        why = f" ({standing.reason})" if ended == "ended" else ""
        self._say(f"{name}: stack {claim.stack} is {ended}{why} after {time.monotonic() - begun:.1f} s")

    def _worker(self, name: str) -> Worker | None:
        """The worker for a sweep, which is measured if it is new; None if this process cannot train it."""
        if time.monotonic() < self._again.get(name, 0.0) or (row := store.sweep_row(self._storage, name)) is None:
            return None
        try:
            worker = self._workers.of(row)
        except Exception as error:
            why = str(error) if isinstance(error, UserError) else reason(error)
        else:
            self._refused.pop(name, None)
            return worker
        self._again[name] = time.monotonic() + AGAIN_S
        before, self._refused[name] = self._refused.get(name), why
        self.stay()
        if why != before:
            self._say(f"{name}: nothing of it is trained here: {why}")
        return None
