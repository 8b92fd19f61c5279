"""Stacks are trained in this process, one after the other."""

from collections.abc import Callable, Iterator

from decaybench.runner.executors.base import Ended
from decaybench.runner.worker import Worker
from decaybench.store import Claim


class Here:
    """Trains a stack within ``start``, and calls ``listen`` after each of its epochs."""

    workers = 1
    public = False

    def __init__(self, worker: Worker, listen: Callable[[], None]) -> None:
        self._worker, self._listen = worker, listen
        self._ended: list[Claim] = []

    @property
    def full(self) -> bool:
        """Whether a stack has been trained whose end has not been looked at."""
        return bool(self._ended)

    def start(self, claim: Claim) -> None:
        """Train a stack."""
        self._worker.train(claim, self._listen)
        self._ended.append(claim)

    def finished(self) -> Iterator[Ended]:
        """Yield the attempt that is over, without waiting."""
        while self._ended:
            yield Ended(self._ended.pop())

    def close(self) -> None:
        """Nothing to let go."""
