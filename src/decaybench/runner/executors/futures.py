"""Stacks are trained by the workers of a cluster, which are called through Python's own interface for that."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait

from decaybench.errors import MachineError, UserError, reason
from decaybench.runner import tasks
from decaybench.runner.executors.base import AHEAD, LISTEN_S, Ended, Patience
from decaybench.store import Claim


class Futures:
    """Calls a function for each stack on a ``pool``. A future is only a hint: its result is in the database."""

    public = False

    def __init__(self, pool: Executor, name: str, able: Callable[[], int], patience: Patience) -> None:
        """A pool for the sweep ``name``; ``able`` counts the stacks that its workers can train at once."""
        self._pool, self._name, self._able, self._patience = pool, name, able, patience
        self._futures: dict[Future[None], Claim | None] = {}
        self.workers = max(1, able())

    @property
    def full(self) -> bool:
        """Whether every worker has work, and another stack is waiting for it."""
        return len(self._futures) >= AHEAD * self.workers

    def measure(self) -> None:
        """Have the sweep measured by the first worker that is free."""
        self._futures[self._pool.submit(tasks.measure_sweep, self._name)] = None

    def start(self, claim: Claim) -> None:
        """Have a stack trained by the next worker that is free."""
        self._futures[self._pool.submit(tasks.train_stack, self._name, claim.stack, claim.attempt)] = claim

    def finished(self) -> Iterator[Ended]:
        """Wait until a call has ended, and yield its attempt. MachineError if the sweep could not be measured."""
        if not self._futures:
            time.sleep(LISTEN_S)
        ended = wait(self._futures, LISTEN_S, FIRST_COMPLETED).done
        able = self._able()
        self._patience.see(able)
        self.workers = max(1, able)
        for future in ended:
            claim, lost = self._futures.pop(future), _lost(future)
            if claim is not None:
                yield Ended(claim, lost)
            elif lost is not None:
                raise MachineError(f"sweep {self._name}: it could not be measured: {lost}")

    def close(self) -> None:
        """Cancel what has not begun. What is being trained may be trained to its end."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()


def _lost(future: Future[None]) -> str | None:
    """What a call failed with; None if it returned."""
    try:
        error = future.exception()
    except CancelledError:
        return "the cluster has cancelled it"
    return None if error is None else str(error) if isinstance(error, UserError) else reason(error)
