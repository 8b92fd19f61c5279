"""The seam between a sweep's driver and those who train its stacks."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from decaybench.store import Claim

LISTEN_S = 0.25
"""Seconds after which a wait for stacks returns, so that progress is shown and signals are noticed."""


class Ended(NamedTuple):
    """An attempt that its executor knows to be over; ``lost`` says how its worker died, None if it returned.

    This is a hint that it is time to look. How the attempt ended is in the database.
    """

    claim: Claim
    lost: str | None = None


class Executor(Protocol):
    """Trains stacks, at most ``workers`` of them at once. What a worker is told is a claim; the rest is stored."""

    workers: int

    @property
    def full(self) -> bool:
        """Whether there is enough to do for now."""

    def start(self, claim: Claim) -> None:
        """Have a stack trained. The attempt must have been offered."""

    def finished(self) -> Iterator[Ended]:
        """Wait, for `LISTEN_S` at most, until an attempt is over, and yield each that is."""

    def close(self) -> None:
        """Let the workers go. What they were training is continued at the next start."""
