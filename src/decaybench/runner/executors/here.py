"""Stacks are trained in this process, one after the other."""

import time
from collections.abc import Callable, Iterator

from decaybench.runner.executors.base import LISTEN_S, Ended
from decaybench.runner.worker import Worker
from decaybench.store import Claim


class Here:
    """Trains a stack within ``start``. After an epoch, it calls ``listen`` if the last call is `LISTEN_S` ago."""

    workers = 1
    public = False

    def __init__(self, worker: Worker, listen: Callable[[], None]) -> None:
        self._worker, self._listen = worker, listen
        self._ended: list[Claim] = []
        self._listened = time.monotonic()

    @property
    def full(self) -> bool:
        """Whether a stack has been trained whose end has not been looked at."""
        return bool(self._ended)

    def start(self, claim: Claim) -> None:
        """Train a stack."""
        self._worker.train(claim, self._epoch_ended)
        self._ended.append(claim)

    def finished(self) -> Iterator[Ended]:
        """Yield the attempt that is over, without waiting."""
        while self._ended:
            yield Ended(self._ended.pop())

    def close(self) -> None:
        """Nothing to let go."""

    def _epoch_ended(self) -> None:
        if (now := time.monotonic()) - self._listened >= LISTEN_S:
            self._listened = now
            self._listen()
