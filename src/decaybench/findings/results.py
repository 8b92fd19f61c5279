"""A sweep's rows as plain values: what every finding starts from, and so all that the report says and draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
    from decaybench.store import RunRow

DIGITS = 12  # means of the same fractions in another order differ in the 16th digit: they are equal


class Run(NamedTuple):
    """A run that counts (not superseded), its values as compared.

    A diverged run has chance for its values, and a finished loss above chance counts as chance: a strategy
    gains nothing by diverging. ``values``, by the names of their columns, are None while the run is pending, or failed:
    accuracies in [0, 1], losses in nats. ``params`` are in native units, empty until they are chosen. ``pruned`` is
    "stopped" for a run that pruning ended, whose values are those of its last epoch, and "spared" for one that it would
    have.
    ``rank`` is a search run's among the slots of its repeat, the lowest first, where it may win.
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
    rank: Rank | None = None

    @property
    def stopped(self) -> bool:
        """Whether pruning ended it: then its result is not one of the end, and enters no comparison of ends."""
        return self.pruned == "stopped"

    @property
    def done(self) -> bool:
        return self.outcome in ("finished", "diverged")

    @property
    def diverged(self) -> bool:
        return self.outcome == "diverged"

    def value(self, part: str, metric: str) -> float | None:
        """The ``metric`` on ``part`` ("validation" or "test")."""
        return self.values[f"{part}_{metric}"]


class Curve(NamedTuple):
    """One run's epochs, all (E,): numbers from 1, losses in nats."""

    epoch: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    validation_loss: NDArray[np.float64]


@dataclass(frozen=True)
class Results:
    """One sweep's results; lengths and strategies in the sweep file's order, ``superseded`` is a count."""

    sweep: Sweep
    runs: tuple[Run, ...]
    superseded: int
    curves: Mapping[str, Curve]
    traces: Mapping[str, NDArray[np.float32]]

    @property
    def metric(self) -> str:
        return self.sweep.metric

    @property
    def chance(self) -> Mapping[str, float]:
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
    def repeats(self) -> int:
        return self.sweep.repeats

    @property
    def confirm_seeds(self) -> int:
        return self.sweep.confirm_seeds

    @property
    def rope(self) -> float:
        """The smallest difference that matters, in the metric's unit."""
        return self.sweep.rope

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared their slots: then nothing here is a comparison."""
        return self.sweep.adaptive

    def of(self, phase: str, strategy: str, length: float) -> list[Run]:
        """The runs of one phase, strategy and length, by repeat, slot and seed."""
        return self._groups.get((phase, strategy, length), [])

    @cached_property
    def _groups(self) -> dict[tuple[str, str, float], list[Run]]:
        """The runs by phase, strategy and length: asked for often, and there may be many thousands."""
        groups: dict[tuple[str, str, float], list[Run]] = {}
        for run in self.runs:
            groups.setdefault((run.phase, run.strategy, run.length), []).append(run)
        return groups

    def winners(self, strategy: str, length: float) -> list[Run]:
        """Each repeat's best slot so far, by `selection.rank`; the one that was confirmed, where one was."""
        best: dict[int, tuple[Rank, Run]] = {}
        confirmed = {run.repeat: run.slot for run in self.of("confirm", strategy, length)}
        for run in self.of("search", strategy, length):
            own = run.rank
            if run.repeat in confirmed:  # chosen already: that it was is all there is to know
                own = (-math.inf, -math.inf, -1) if run.slot == confirmed[run.repeat] else None
            if own is not None and (run.repeat not in best or own < best[run.repeat][0]):
                best[run.repeat] = own, run
        return [run for _, run in best.values()]

    def shown(self, strategy: str) -> list[Run]:
        """The runs whose curves are drawn: confirm runs that are done, else each repeat's best slot."""
        confirmed = [run for run in self.of("confirm", strategy, self.longest) if run.done]
        return confirmed or self.winners(strategy, self.longest)


def collect(evidence: Evidence) -> Results:
    """The results of a sweep, or of several as of one.

    Raises UserError where a run diverged but the sweep's provenance does not say what chance level is.
    """
    sweep, chance = evidence.sweep, evidence.sweep.chance
    live = [row for row in evidence.runs if not row.superseded]
    if sweep.metric not in chance and any(row.outcome == "diverged" for row in live):
        raise UserError(
            f"sweep {sweep.name}: provenance must hold chance_{sweep.metric}, since a diverged run counts at chance,"
            f" got {sorted(chance)}"
        )
    bounds = {name: chance.get(name, metric.worst) for name, metric in METRICS.items()}
    runs = sorted((_run(row, sweep.metric, bounds) for row in live), key=lambda r: (r.repeat, r.slot, r.seed, r.id))
    return Results(
        sweep=sweep,
        runs=tuple(runs),
        superseded=len(evidence.runs) - len(live),
        curves={
            run: Curve(epochs["epoch"], epochs["train_loss"], epochs["validation_loss"])
            for run, epochs in evidence.epochs.items()
        },
        traces=evidence.traces,
    )


def _run(row: RunRow, metric: str, chance: Chance) -> Run:
    def value(part: str, of: str) -> float | None:
        if row.outcome == "diverged":
            # A search run reads no test split, diverged or not. A sweep older than a metric does not have its chance.
            known = math.isfinite(chance[of]) and (part, row.phase) != ("test", "search")
            return float(chance[of]) if known else None
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
        pruned=row.pruned,
        rank=rank(row, metric, chance) if row.phase == "search" else None,
    )
