"""What a tuning budget buys: the expected best validation result of n trials."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.findings.results import DIGITS, Results
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS

Refusal = Literal["adaptive", "tpe", "prune"]
"""Strategies shared one budget of trials; trials were chosen from earlier results; some were stopped early."""
POINTS = 40
"""The most points of a curve, for each number of trials that a strategy has."""


class Cost(NamedTuple):
    """One strategy: numbers of trials ``n`` (M,), and the expected best result (M,) and its band, in the metric's unit.

    The band is NaN with one repeat. If there was nothing to search, ``searched`` is False, more trials change nothing,
    and the result is the mean over repeats.
    """

    strategy: Strategy
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    searched: bool


class Advice(NamedTuple):
    """From ``n`` trials on, take the strategy ``label``.

    The strategies ``level`` are as good: never further from it than the smallest difference that matters. ``ahead``, if
    not empty, is another one, whose expected result at the end is better by no more than that.
    """

    n: int
    label: str
    level: tuple[str, ...]
    ahead: str = ""


def refused(results: Results) -> Refusal | None:
    """Why these trials cannot show what fewer trials would have found; None if they can."""
    if results.adaptive:
        return "adaptive"
    if results.sweep.search.sampler == "tpe":
        return "tpe"
    return "prune" if results.sweep.search.prune is not None else None


def costs(summary: Summary) -> tuple[Cost, ...]:
    """Every strategy with a finished search at the longest length, in the order of the sweep file; none if `refused`.

    A repeat counts once all of its trials are done. Diverged trials count at chance.
    """
    results = summary.results
    if refused(results):
        return ()
    pools = {s: pool for s in results.strategies if (pool := _pool(results, s))}
    sizes = {min(map(len, pool)) for s, pool in pools.items() if results.sweep.arms[s.label].space} or {1}
    # joined sweeps may differ in trials: one grid for all, so that curves can be compared point by point
    grid = np.unique(np.concatenate([np.geomspace(1, size, POINTS).round().astype(np.int64) for size in sizes]))
    return tuple(_cost(results, strategy, pool, grid) for strategy, pool in pools.items())


def recommendations(summary: Summary) -> list[Advice]:
    """Which strategy to take from how many trials on, by expected validation result, with n rising from 1.

    The advice changes only if another strategy is ahead by more than the smallest difference that matters (for the size
    of the validation split), so that a tie does not look like advice. It is not a verdict: verdicts come from retrained
    results. It ends at the fewest trials that a searched strategy had.

    Empty if `refused`, if fewer than two strategies have a finished search, and if nothing sets them apart.
    """
    results = summary.results
    found = costs(summary)
    examples = results.sweep.examples("validation")
    if len(found) < 2 or not examples:
        return []
    sign = METRICS[results.metric].sign
    matters = compare.rope(results.metric, examples, results.sweep.task.rope)
    most = min(cost.n[-1] for cost in found)
    n = found[0].n[found[0].n <= most]
    values = np.round([sign * cost.mean[cost.n <= most] for cost in found], DIGITS)
    taken = [int(values[:, 0].argmax())]
    for here in values.T[1:]:
        behind = round(here.max() - here[taken[-1]], DIGITS) > matters
        taken.append(int(here.argmax()) if behind else taken[-1])
    starts = [0, *(np.flatnonzero(np.diff(taken)) + 1)]
    labels = [cost.strategy.label for cost in found]
    advice = []
    for start, stop in zip(starts, [*starts[1:], n.size], strict=True):
        own = taken[start]
        gaps = np.round(np.abs(values - values[own])[:, start:stop], DIGITS).max(axis=1)
        level = tuple(label for at, label in enumerate(labels) if at != own and gaps[at] <= matters)
        best = labels[int(values[:, stop - 1].argmax())] if stop == n.size else labels[own]
        advice.append(Advice(int(n[start]), labels[own], level, "" if best in (labels[own], *level) else best))
    return [] if len(advice[0].level) == len(labels) - 1 and len(advice) == 1 else advice


def _pool(results: Results, strategy: Strategy) -> list[NDArray[np.float64]]:
    """The validation results of every repeat whose search is finished, one array per repeat."""
    slots: dict[int, list[float | None]] = {}
    for run in results.of("search", strategy.label, results.longest):
        slots.setdefault(run.repeat, []).append(run.value("validation", results.metric))
    return [np.array(values, dtype=np.float64) for values in slots.values() if None not in values]


def _cost(results: Results, strategy: Strategy, pool: list[NDArray[np.float64]], grid: NDArray[np.int64]) -> Cost:
    searched = bool(results.sweep.arms[strategy.label].space)
    n = grid[grid <= min(map(len, pool))] if searched else grid
    metric = METRICS[results.metric]
    found = compare.expected_best_curve(pool, n if searched else [1], lower_is_better=metric.lower_is_better)
    mean, low, high = (
        np.broadcast_to(x, n.shape) for x in (found.mean, np.maximum(found.low, 0), np.minimum(found.high, metric.high))
    )
    return Cost(strategy, n, mean, low, high, searched)
