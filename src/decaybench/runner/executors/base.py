"""The seam between a sweep's driver and those who train its stacks."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from decaybench.store import Claim

LISTEN_S = 0.25
"""Seconds after which a wait for stacks returns, so that progress is shown and signals are noticed."""
AHEAD = 2
"""The stacks per worker that are offered to workers elsewhere, so that none waits for the driver."""
PATIENCE_S = 30.0
"""Seconds without any worker after which that is said."""


class Ended(NamedTuple):
    """An attempt that its executor knows to be over; ``lost`` says how its worker died, None if it returned.

    This is a hint that it is time to look. How the attempt ended is in the database.
    """

    claim: Claim
    lost: str | None = None


class Executor(Protocol):
    """Trains stacks. A worker receives a claim, and reads the rest from the database."""

    public: bool
    """Whether any worker of the database may take a stack."""

    @property
    def workers(self) -> int:
        """The number of stacks that are trained at once."""

    @property
    def full(self) -> bool:
        """Whether there is enough to do for now."""

    def start(self, claim: Claim) -> None:
        """Have a stack trained. The attempt must have been offered."""

    def finished(self) -> Iterator[Ended]:
        """Wait, for `LISTEN_S` at most, until an attempt is over, and yield each that is."""

    def close(self) -> None:
        """Let the workers go. What they were training is continued at the next start."""


class Elsewhere(Executor, Protocol):
    """Trains stacks on workers that were started apart from the driver."""

    def measure(self) -> None:
        """Have the sweep measured by whichever worker comes first. MachineError from `finished` if that fails."""


class Patience:
    """Says once that there is no worker, after `PATIENCE_S` without any."""

    def __init__(self, say: Callable[[str], None], how: str) -> None:
        """``how`` says how to start one."""
        self._say, self._how = say, how
        self._since, self._said = time.monotonic(), False

    def see(self, workers: int) -> None:
        """Note how many workers there are."""
        if workers:
            self._since = time.monotonic()
        elif not self._said and time.monotonic() - self._since > PATIENCE_S:
            self._said = True
            self._say(f"no worker has been seen for {PATIENCE_S:.0f} s; {self._how}")
