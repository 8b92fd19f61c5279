"""What the two figures of search results share: the validation result of every trial."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from decaybench.findings.results import Results
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report.figures import look, sample

OPTIMISTIC = "selected on validation: optimistic"
MOST_BEHIND = 400
"""The most grey dots in a panel; of more, a random sample is drawn."""
MOST_SLOTS = 400
"""Likewise for a strategy's own marks in its panel; the best trials are always drawn."""


class Slots(NamedTuple):
    """One strategy's trials, all (N,): base learning rate, result in percent or nats, diverged, best of its repeat.

    ``stopped`` counts the trials that pruning stopped, which are left out.
    """

    strategy: Strategy
    rate: NDArray[np.float64]
    result: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    winner: NDArray[np.bool_]
    stopped: int = 0


class Search(NamedTuple):
    """The trials of every strategy at the longest length; ``chance`` in the results' unit, None if unknown."""

    metric: str
    chance: float | None
    slots: tuple[Slots, ...]


def search(results: Results, *, stopped: bool = False) -> Search:
    """Every trial that is done, diverged ones at chance; stopped ones only if ``stopped``: theirs are not final."""
    factor = METRICS[results.metric].factor
    found = []
    for strategy in results.strategies:
        winners = {run.id for run in results.winners(strategy.label, results.longest)}
        slots = results.of("search", strategy.label, results.longest)
        rows = [
            (
                run.learning_rate if run.learning_rate is not None else np.nan,
                value,
                run.diverged,
                run.id in winners,
            )
            for run in slots
            if (stopped or not run.stopped) and (value := run.value("validation", results.metric)) is not None
        ]
        rate, result, diverged, winner = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        left = 0 if stopped else sum(run.stopped for run in slots)
        found.append(Slots(strategy, rate, factor * result, diverged.astype(bool), winner.astype(bool), left))
    chance = results.chance.get(results.metric)
    return Search(results.metric, None if chance is None else factor * chance, tuple(found))


def label(metric: str) -> str:
    """The axis label of a search result, which says that it is optimistic."""
    return f"validation {METRICS[metric].label}\n({OPTIMISTIC})"


def value_limits(shown: Search) -> tuple[float, float]:
    """Limits of the axis around all trials and chance, with room for a note on the worse side."""
    chance = [] if shown.chance is None else [[shown.chance]]
    metric = METRICS[shown.metric]
    low, high = look.limits([*(slots.result for slots in shown.slots), *chance], metric.axis)
    room = 0.12 * (high - low)
    return (low, high + room) if metric.lower_is_better else (low - room, high)


def chance_line(axes: Axes, shown: Search) -> None:
    """A dotted line at chance, where nets that learned nothing and diverged runs are."""
    if shown.chance is not None:
        axes.axhline(shown.chance, color=look.FAINT, lw=0.8, ls=(0, (1, 2)), zorder=1)


def points(axes: Axes, own: Slots, x: NDArray[np.float64], metric: str) -> None:
    """One strategy's trials at ``x`` (N,) in its family's colour: best ones ringed, diverged ones as crosses."""
    style = look.FAMILY[own.strategy.family]
    drawn = np.zeros(own.result.size, dtype=bool)
    drawn[sample(own.result.size, MOST_SLOTS)] = True
    plain, ringed, crossed = drawn & ~own.diverged & ~own.winner, ~own.diverged & own.winner, drawn & own.diverged
    marks: dict[str, Any] = {"ls": "none", "marker": style.marker, "color": style.color, "zorder": 3}
    axes.plot(x[plain], own.result[plain], ms=3.4, mew=0, alpha=0.65, **marks)
    axes.plot(x[ringed], own.result[ringed], ms=5.2, mec="black", mew=1.0, **{**marks, "zorder": 5})
    axes.plot(x[crossed], own.result[crossed], "x", color=style.color, ms=5, mew=1.3, zorder=4)
    remarks = [f"{own.diverged.sum()} of {own.diverged.size} diverged"] if own.diverged.any() else []
    if not drawn.all():
        remarks.append(f"drawn: {drawn.sum()} of {drawn.size} trials, and the best")
    if own.stopped:
        remarks.append(f"{own.stopped} stopped, not drawn")
    if not own.result.size and not own.stopped:
        remarks.append("no trial done yet")
    if remarks:
        look.note(axes, "\n".join(remarks), top=METRICS[metric].lower_is_better)
