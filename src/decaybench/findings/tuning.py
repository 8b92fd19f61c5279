"""What a tuning budget buys: the expected test result of the trial that validation picks among n."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.findings.results import DIGITS, Results
from decaybench.findings.standing import trials
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS

Refusal = Literal["adaptive", "tpe", "prune"]
"""Strategies shared one budget of trials; trials were chosen from earlier results; some were stopped early."""
POINTS = 40
"""The most points of a curve, for each number of trials that a strategy has."""


LEAST_REPEATS = 6
"""Below so many repeats the pool is too small to stand for other searches."""
SHARE = 4
"""A curve ends at a quarter of the pool: beyond it, searches would be nearly the same."""


class Cost(NamedTuple):
    """One strategy: numbers of trials ``n`` (M,), and the expected test result (M,) with its unadjusted 95% band.

    Values are in the metric's own unit.
    """

    strategy: Strategy
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Lead(NamedTuple):
    """From ``n`` trials on, the expected test result of ``label`` is at most the margin worse than the best one.

    The strategies ``level`` are never further from it than the margin, on either side. ``ahead``, if not empty, is
    another one, whose expected result at the end is better by no more than that.
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
    """Every strategy with LEAST_REPEATS at the longest length, in the order of the sweep file; none if `refused`.

    Trials count as independent draws, whatever the sampler. Diverged trials count at chance.
    """
    results = summary.results
    if refused(results):
        return ()
    found = []
    for strategy in results.strategies:
        repeats = results.repeats[strategy.label]
        pool = trials(results, strategy.label, results.longest, repeats) if repeats >= LEAST_REPEATS else None
        if pool is not None:
            most = max(1, pool.test.size // SHARE)
            found.append(_cost(results, strategy, pool, np.unique(np.geomspace(1, most, POINTS).round().astype(int))))
    return tuple(found)


def leads(summary: Summary) -> list[Lead]:
    """Which strategy has the best expected test result from how many trials on, with n rising from 1.

    The lead passes to another strategy only where that one is ahead by more than the margin, so that ties do not look
    like leads. Leads describe estimates; they say nothing of how sure these are. They end at the shortest curve. Empty
    if `refused`, if fewer than two strategies have a curve, and if nothing sets them apart.
    """
    results, matters = summary.results, summary.decisive.margin
    found = costs(summary)
    if len(found) < 2 or matters is None:
        return []
    sign = METRICS[results.metric].sign
    shared = found[0].n
    for cost in found[1:]:
        shared = np.intersect1d(shared, cost.n)
    n = shared
    values = np.round([sign * cost.mean[np.isin(cost.n, n)] for cost in found], DIGITS)
    taken = [int(values[:, 0].argmax())]
    for here in values.T[1:]:
        behind = round(here.max() - here[taken[-1]], DIGITS) > matters
        taken.append(int(here.argmax()) if behind else taken[-1])
    starts = [0, *(np.flatnonzero(np.diff(taken)) + 1)]
    labels = [cost.strategy.label for cost in found]
    passed: list[Lead] = []
    for start, stop in zip(starts, [*starts[1:], n.size], strict=True):
        own = taken[start]
        gaps = np.round(np.abs(values - values[own])[:, start:stop], DIGITS).max(axis=1)
        level = tuple(label for at, label in enumerate(labels) if at != own and gaps[at] <= matters)
        best = labels[int(values[:, stop - 1].argmax())] if stop == n.size else labels[own]
        passed.append(Lead(int(n[start]), labels[own], level, "" if best in (labels[own], *level) else best))
    return [] if len(passed[0].level) == len(labels) - 1 and len(passed) == 1 else passed


def _cost(results: Results, strategy: Strategy, pool: compare.Trials, n: NDArray[np.int64]) -> Cost:
    metric = METRICS[results.metric]
    found = compare.tuning_curve(pool, n)
    low, high = np.sort([metric.sign * found.low, metric.sign * found.high], axis=0)
    return Cost(strategy, n, metric.sign * found.mean, np.maximum(low, 0), np.minimum(high, metric.high))
