"""What the figures of single trials share: the validation and the test result of every trial."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from decaybench.findings.results import Results, Run
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report.figures import look, sample

OPTIMISTIC = "selected on validation: optimistic"
MOST_BEHIND = 400
"""The most grey dots in a panel; of more, a random sample is drawn."""
MOST_OWN = 400
"""Likewise for a strategy's own marks in its panel; the best trials are always drawn."""


class Tried(NamedTuple):
    """One strategy's trials, all (N,): base learning rate, results in percent or nats, diverged, best of its repeat.

    ``stopped`` counts the trials that pruning stopped, which are left out.
    """

    strategy: Strategy
    rate: NDArray[np.float64]
    validation: NDArray[np.float64]
    test: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    best: NDArray[np.bool_]
    stopped: int = 0


class Search(NamedTuple):
    """The trials of every strategy at the longest length; ``chance`` in the results' unit, None if unknown."""

    metric: str
    chance: float | None
    strategies: tuple[Tried, ...]


def search(results: Results, *, stopped: bool = False) -> Search:
    """Every trial of the repeats looked at, diverged ones at chance; stopped ones only if ``stopped``: not final."""
    factor, chance = METRICS[results.metric].factor, results.chance.get(results.metric)
    found = []
    for strategy in results.strategies:
        best = {run.id for run in results.best(strategy.label, results.longest)}
        trials = [run for run in results.trials(strategy.label, results.longest) if run.done]
        rows = [
            (
                np.nan if run.learning_rate is None else run.learning_rate,
                *(_result(run, part, results.metric, chance) for part in ("validation", "test")),
                run.diverged,
                run.id in best,
            )
            for run in trials
            if stopped or not run.stopped
        ]
        rate, validation, test, diverged, chosen = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        left = 0 if stopped else sum(run.stopped for run in trials)
        yes = diverged.astype(bool), chosen.astype(bool)
        found.append(Tried(strategy, rate, factor * validation, factor * test, *yes, left))
    return Search(results.metric, None if chance is None else factor * chance, tuple(found))


def _result(run: Run, part: str, metric: str, chance: float | None) -> float:
    """A loss that was too large to be stored counts as chance."""
    value = run.value(part, metric) if run.value(part, metric) is not None else chance
    return np.nan if value is None else value


def label(metric: str) -> str:
    """The axis label of a validation result, which says that it is optimistic."""
    return f"validation {METRICS[metric].label}\n({OPTIMISTIC})"


def value_limits(shown: Search) -> tuple[float, float]:
    """Limits of the axis around all trials and chance, with room for a note on the worse side."""
    chance = [] if shown.chance is None else [[shown.chance]]
    metric = METRICS[shown.metric]
    found = [result for own in shown.strategies for result in (own.validation, own.test)]
    low, high = look.limits([*found, *chance], metric.axis)
    room = 0.12 * (high - low)
    return (low, high + room) if metric.lower_is_better else (low - room, high)


def chance_line(axes: Axes, shown: Search) -> None:
    """A dotted line at chance, where nets that learned nothing and diverged runs are."""
    if shown.chance is not None:
        axes.axhline(shown.chance, color=look.FAINT, lw=0.8, ls=(0, (1, 2)), zorder=1)


def points(axes: Axes, own: Tried, x: NDArray[np.float64], y: NDArray[np.float64], metric: str) -> None:
    """One strategy's trials at ``x`` and ``y`` (N,) in its family's colour: best ones ringed, diverged ones crossed."""
    style = look.FAMILY[own.strategy.family]
    drawn = np.zeros(y.size, dtype=bool)
    drawn[sample(y.size, MOST_OWN)] = True
    plain, ringed, crossed = drawn & ~own.diverged & ~own.best, ~own.diverged & own.best, drawn & own.diverged
    marks: dict[str, Any] = {"ls": "none", "marker": style.marker, "color": style.color, "zorder": 3}
    axes.plot(x[plain], y[plain], ms=3.4, mew=0, alpha=0.65, **marks)
    axes.plot(x[ringed], y[ringed], ms=5.2, mec="black", mew=1.0, **{**marks, "zorder": 5})
    axes.plot(x[crossed], y[crossed], "x", color=style.color, ms=5, mew=1.3, zorder=4)
    remarks = [f"{own.diverged.sum()} of {own.diverged.size} diverged"] if own.diverged.any() else []
    if not drawn.all():
        remarks.append(f"drawn: {drawn.sum()} of {drawn.size} trials, and the best")
    if own.stopped:
        remarks.append(f"{own.stopped} stopped, not drawn")
    if not y.size and not own.stopped:
        remarks.append("no repeat is complete yet")
    if remarks:
        look.note(axes, "\n".join(remarks), top=METRICS[metric].lower_is_better)
