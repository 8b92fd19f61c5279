"""The types between the runner and a sampler: trials, the values of earlier ones, and proposals in range units."""

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
    """A trial whose run has ended: its parameters, in range units by dimension name, and its objective value.

    A diverged run's value is chance, as in the study. ``stopped_after`` is the epoch after which pruning stopped the
    run, if it did; the value is then that epoch's.
    """

    slot: Slot
    values: Mapping[str, Any]
    value: float
    stopped_after: int | None = None


class Sampler(Protocol):
    """Proposes a sweep's configurations. It has no relevant state: a proposal is a pure function of its arguments."""

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units by dimension name.

        ``history`` holds the ended trials of the same repeat and length, in any order; the sampler itself ignores
        those that it must not use (other strategies, its own batch, later ones). Raises ValueError if one that it needs
        is missing.
        """
        ...


class AdaptiveSampler(Sampler, Protocol):
    """Also proposes the strategy: the strategies share a repeat's trials."""

    def choose(self, repeat: int, length: float, slot: int, history: Sequence[Told]) -> str:
        """The label of the trial's strategy; ``history`` as in ``propose``."""
        ...
