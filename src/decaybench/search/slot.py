"""What passes between the runner and a sampler: slots, what earlier ones were told, and proposals in range units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Slot:
    """One run of the search phase as samplers and the study see it."""

    run_id: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int


@dataclass(frozen=True)
class Told:
    """A slot whose run has ended: its parameters, in range units by dimension name, and its objective value.

    A diverged run's value is chance, as the study is told. ``stopped_after`` is the epoch after which pruning stopped
    the run, where it did: then the value is that epoch's.
    """

    slot: Slot
    values: Mapping[str, Any]
    value: float
    stopped_after: int | None = None


class Sampler(Protocol):
    """Proposes a sweep's settings. It keeps no state that matters: a proposal is a pure function of its arguments."""

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The slot's parameters, in range units by dimension name.

        ``history`` holds what was told of the slot's repeat and length, in any order; what a sampler may not know
        (other strategies, its own batch, later ones) it leaves out itself. Raises ValueError when what it needs is
        missing.
        """
        ...


class AdaptiveSampler(Sampler, Protocol):
    """Proposes the strategy too: the strategies share a repeat's slots."""

    def choose(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> str:
        """The label of the strategy that gets the slot; ``history`` as in ``propose``."""
        ...
