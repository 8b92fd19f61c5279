"""The configurations of a sweep's trials, proposed by its sampler from the earlier trials in our tables."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from decaybench.findings.selection import Chance, stopped_after, told
from decaybench.metrics import METRICS
from decaybench.search import AdaptiveSampler, Sampler, Slot, Told, adaptive_sampler, balanced_sampler, from_native
from decaybench.store import RunRow
from decaybench.sweep import Arm, PlannedRun, Size, Sweep, shares_slots

Place = tuple[int, int, float]
"""A trial of a repeat and length: (repeat, slot, length)."""

ENDED = ("finished", "diverged")


class Proposals:
    """Proposes configurations (in an adaptive sweep, strategies too) from nothing but the sweep and its search runs."""

    def __init__(self, sweep: Sweep, arms: Mapping[str, Arm], chance: Chance, size: Callable[[float], Size]) -> None:
        self._arms, self._metric, self._chance, self._size = arms, sweep.task.metric, chance, size
        self.spaces = {label: arm.space for label, arm in arms.items()}
        asked = sweep.search
        arguments = (asked.sampler, self.spaces, asked.seed, asked.batch, direction(sweep))
        self._adaptive: AdaptiveSampler | None = adaptive_sampler(*arguments) if shares_slots(sweep) else None
        self._sampler: Sampler = self._adaptive or balanced_sampler(*arguments)
        self.learns = asked.sampler == "tpe"
        self._told: dict[str, Told] = {}

    def values(self, runs: Sequence[RunRow], rows: Sequence[RunRow]) -> dict[str, dict[str, Any]]:
        """The parameters of search runs by run id, in range units.

        ``rows`` are all rows of the search. Only a sampler that ``learns`` uses them.
        """
        history = self._history(rows)
        return {run.id: self._sampler.propose(slot_of(run), history[run.repeat, run.length]) for run in runs}

    def value(self, run: PlannedRun) -> dict[str, Any]:
        """The parameters of one planned run, in range units, from a sampler that does not learn."""
        slot = Slot(run.id, run.strategy, run.repeat, run.slot, run.length, run.seed)
        return self._sampler.propose(slot, [])

    def strategies(self, places: Sequence[Place], rows: Sequence[RunRow]) -> dict[Place, str]:
        """The strategies of an adaptive sweep's trials, by (repeat, slot, length)."""
        assert self._adaptive is not None
        history = self._history(rows)
        return {
            (repeat, slot, length): self._adaptive.choose(repeat, length, slot, history[repeat, length])
            for repeat, slot, length in places
        }

    def _history(self, rows: Sequence[RunRow]) -> Mapping[tuple[int, float], list[Told]]:
        """The runs that have ended, in the form that samplers take, by repeat and length."""
        history = defaultdict[tuple[int, float], list[Told]](list)
        for run in rows if self.learns else ():
            if run.outcome in ENDED:
                if run.id not in self._told:
                    self._told[run.id] = self._tell(run)
                history[run.repeat, run.length].append(self._told[run.id])
        return history

    def _tell(self, run: RunRow) -> Told:
        size = self._size(run.length)
        values = from_native(
            self._arms[run.strategy].space,
            run.params or {},
            total_steps=size.total_steps,
            steps_per_epoch=size.steps_per_epoch,
        )
        return Told(slot_of(run), values, told(run, self._metric, self._chance), stopped_after(run))


def direction(sweep: Sweep) -> Literal["minimize", "maximize"]:
    """Whether the sweep's metric is maximised or minimised."""
    return METRICS[sweep.task.metric].direction


def slot_of(run: RunRow) -> Slot:
    """The run as samplers and the study see it."""
    return Slot(run.id, run.strategy, run.repeat, run.slot, run.length, run.seed)
