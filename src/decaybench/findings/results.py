"""A sweep's rows as plain values, from which all findings, and so the whole report, are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.errors import UserError
from decaybench.findings.selection import Chance, Rank, rank
from decaybench.findings.sweep import Strategy, Sweep
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.findings.join import Evidence
    from decaybench.store import LookRow, RunRow

DIGITS = 12  # rounding: means of the same numbers in another order differ in the 16th digit


class Run(NamedTuple):
    """A run, with its values as they are compared.

    ``values``, by the names of their columns, are accuracies in [0, 1] and losses in nats; None while the run is
    pending, and if it failed. A diverged run has chance level for its values, and a finished loss above chance counts
    as chance, so that a strategy gains nothing by diverging.

    ``params`` are in native units, and empty until they are chosen. ``pruned`` is "stopped" for a run that pruning
    ended, whose values are those of its last epoch, and "spared" for one that pruning would have ended. ``reason`` says
    why a run failed. ``rank`` is a search run's rank among the strategy's trials, the best one lowest; None if the run
    cannot be the best.
    """

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    outcome: str | None
    learning_rate: float | None
    values: Mapping[str, float | None]
    params: Mapping[str, Any]
    epochs_done: int = 0
    attempt: int = 1
    updates_computed: int | None = None
    pruned: str | None = None
    reason: str | None = None
    rank: Rank | None = None

    @property
    def stopped(self) -> bool:
        """Whether pruning ended the run early, so that its result cannot be compared with results at the end."""
        return self.pruned == "stopped"

    @property
    def done(self) -> bool:
        return self.outcome in ("finished", "diverged")

    @property
    def diverged(self) -> bool:
        return self.outcome == "diverged"

    def value(self, part: str, metric: str) -> float | None:
        """The ``metric`` on the split ``part`` ("validation" or "test")."""
        return self.values[f"{part}_{metric}"]


class Curve(NamedTuple):
    """One run's epochs, each field (E,): epoch numbers from 1, losses in nats."""

    epoch: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    validation_loss: NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """One sweep's results; ``superseded`` are the runs that are no longer planned. They count only in
    the ledger and in the number of trainings.

    ``curves`` and ``traces`` (a learning rate per update) are keyed by the id of their run. ``looks`` are the looks at
    the longest length of each of the joined sweeps.
    """

    sweep: Sweep
    runs: tuple[Run, ...]
    superseded: tuple[Run, ...]
    curves: Mapping[str, Curve]
    traces: Mapping[str, NDArray[np.float32]]
    looks: tuple[tuple[LookRow, ...], ...] = ((),)
    at: Mapping[str, int] | None = None

    @property
    def metric(self) -> str:
        return self.sweep.metric

    @property
    def chance(self) -> Chance:
        return self.sweep.chance

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        return self.sweep.strategies

    @property
    def lengths(self) -> tuple[float, ...]:
        return self.sweep.lengths

    @property
    def longest(self) -> float:
        return max(self.lengths)

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared one budget of trials, so that nothing here is a comparison."""
        return self.sweep.adaptive

    def of(self, phase: str, strategy: str, length: float) -> list[Run]:
        """The runs of one phase, strategy and length, sorted by repeat, slot and seed."""
        return self._groups.get((phase, strategy, length), [])

    @cached_property
    def _groups(self) -> dict[tuple[str, str, float], list[Run]]:
        """The runs by phase, strategy and length: cached, since `of` is called often on many thousands of runs."""
        groups: dict[tuple[str, str, float], list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.phase, run.strategy, run.length), []).append(run)
        return groups

    @cached_property
    def repeats(self) -> Mapping[str, int]:
        """The leading repeats of each strategy that enter its numbers.

        They are those of the last look, since what lies beyond the last complete step decides nothing yet; before the
        first look, and in a sweep that takes none, those that are closed. ``at`` names others: those of a look that is
        being taken.
        """
        if self.at is not None:
            return self.at
        found = dict(self.closed)
        for part, looks in zip(self.sweep.parts, self.looks, strict=True):
            if looks:
                found.update({part.labels[label]: repeats for label, repeats in reached(looks).items()})
        return found

    @cached_property
    def closed(self) -> Mapping[str, int]:
        """The leading repeats of each strategy whose trials have all ended, at every length.

        The strategies of an adaptive sweep share them.
        """
        ended: dict[tuple[str, int, float], int] = {}
        for run in self.runs:
            if run.phase == "search" and run.done:
                key = "" if self.adaptive else run.strategy, run.repeat, run.length
                ended[key] = ended.get(key, 0) + 1
        found = {}
        for label in (strategy.label for strategy in self.strategies):
            own, planned, repeat = "" if self.adaptive else label, self.sweep.trials(label), 0
            while all(ended.get((own, repeat, length), 0) >= planned for length in self.lengths):
                repeat += 1
            found[label] = repeat
        return found

    def trials(self, strategy: str, length: float) -> list[Run]:
        """The trials of the repeats that enter the strategy's numbers."""
        return [run for run in self.of("search", strategy, length) if run.repeat < self.repeats[strategy]]

    def best(self, strategy: str, length: float) -> list[Run]:
        """Each of these repeats' best trial by `selection.rank`; of an adaptive sweep, the strategy's own best."""
        best: dict[int, tuple[Rank, Run]] = {}
        for run in self.trials(strategy, length):
            if run.rank is not None and (run.repeat not in best or run.rank < best[run.repeat][0]):
                best[run.repeat] = run.rank, run
        return [run for _, run in best.values()]


def reached(looks: Sequence[LookRow]) -> dict[str, int]:
    """The repeats of each strategy at the last look."""
    return {label: int(known["repeats"]) for label, known in looks[-1].strategies.items()}


def collect(evidence: Evidence) -> Results:
    """The results of a sweep, or of several joined ones.

    Raises UserError if a run diverged but the sweep's provenance does not hold the chance level.
    """
    sweep, chance = evidence.sweep, evidence.sweep.chance
    if sweep.metric not in chance and any(row.outcome == "diverged" for row in evidence.runs):
        raise UserError(
            f"sweep {sweep.name}: provenance must hold chance_{sweep.metric}, since a diverged run counts at chance,"
            f" got {sorted(chance)}"
        )
    bounds = {name: chance.get(name, metric.worst) for name, metric in METRICS.items()}

    def found(*, superseded: bool) -> tuple[Run, ...]:
        rows = (_run(row, sweep.metric, bounds) for row in evidence.runs if row.superseded == superseded)
        return tuple(sorted(rows, key=lambda run: (run.repeat, run.slot, run.seed, run.id)))

    return Results(
        sweep=sweep,
        runs=found(superseded=False),
        superseded=found(superseded=True),
        curves={
            run: Curve(epochs["epoch"], epochs["train_loss"], epochs["validation_loss"])
            for run, epochs in evidence.epochs.items()
        },
        traces=evidence.traces,
        looks=evidence.looks,
    )


def _run(row: RunRow, metric: str, chance: Chance) -> Run:
    def value(part: str, of: str) -> float | None:
        if row.outcome == "diverged":
            return float(chance[of])
        stored = getattr(row, f"{part}_{of}")
        if row.outcome != "finished" or stored is None:
            return None
        return METRICS[of].counted(float(stored), chance[of])

    params = row.params or {}
    rate = params.get("learning_rate")
    return Run(
        id=row.id,
        phase=row.phase,
        strategy=row.strategy,
        repeat=row.repeat,
        slot=row.slot,
        length=row.length,
        seed=row.seed,
        outcome=row.outcome,
        learning_rate=None if rate is None else float(rate),
        values={f"{part}_{of}": value(part, of) for part in ("validation", "test") for of in METRICS},
        params=params,
        epochs_done=row.epochs_done,
        attempt=row.attempt,
        updates_computed=row.updates_computed,
        reason=row.reason,
        pruned=row.pruned,
        rank=rank(row, metric, chance) if row.phase == "search" else None,
    )
