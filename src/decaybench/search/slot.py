"""The types that the runner and samplers exchange: trials, and the values of those that have ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Slot:
    """A trial, as samplers and the study see it: one run of the search phase."""

    run_id: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int


@dataclass(frozen=True)
class Told:
    """A trial that has ended: its parameters, in range units by dimension name, and its objective value.

    The value of a diverged run is chance level, as in the study. If pruning stopped the run, ``stopped_after`` is the
    epoch after which it did, and the value is that epoch's.
    """

    slot: Slot
    values: Mapping[str, Any]
    value: float
    stopped_after: int | None = None


class Sampler(Protocol):
    """Proposes a sweep's configurations. A proposal is a pure function of its arguments; state is only a cache."""

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units by dimension name.

        ``history`` holds the ended trials of the same repeat and length, in any order. The sampler ignores those that
        it must not use, such as those of other strategies or later batches. Raises ValueError if one that it needs is
        missing.
        """
        ...


class AdaptiveSampler(Sampler, Protocol):
    """A sampler that also chooses the strategy of every trial."""

    def choose(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> str:
        """The label of the trial's strategy; ``history`` as in ``propose``."""
        ...
