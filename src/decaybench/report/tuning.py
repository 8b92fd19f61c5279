"""What a tuning budget buys: the expected best validation result of n slots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.report.results import Results, Strategy
from decaybench.report.summary import Summary

POINTS = 40
"""Numbers of trials at most for which a curve is computed."""


class Cost(NamedTuple):
    """One strategy: trials (M,), and the expected best result with its band (M,), in the metric's unit.

    ``searched`` is False where there was nothing to search: more trials than one then change nothing, and the result
    is the mean over the repeats. The band is NaN with one repeat.
    """

    strategy: Strategy
    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    searched: bool


def refused(results: Results) -> str:
    """Why the slots of this sweep do not tell what fewer of them would have found, or no text."""
    search = results.sweep["spec"]["search"]
    if search.get("allocation") == "adaptive":
        return "the strategies shared their slots"
    if search["sampler"] == "tpe":
        return "TPE chose each batch of slots from the results before it, so that fewer of them are no smaller search"
    if search.get("prune"):
        return "pruning stopped some slots early, so that their results are not those of whole runs"
    return ""


def costs(summary: Summary) -> tuple[Cost, ...]:
    """Every strategy with a finished search at the longest length, in the sweep file's order; none where `refused`.

    A repeat counts once all of its slots are done; diverged ones count at chance.
    """
    results = summary.results
    if refused(results):
        return ()
    pools = {s: pool for s in results.strategies if (pool := _pool(results, s))}
    trials = max((min(map(len, pool)) for pool in pools.values()), default=0)
    return tuple(_cost(strategy, pool, trials, results.metric) for strategy, pool in pools.items())


def recommendations(summary: Summary) -> list[tuple[int, str]]:
    """From how many trials on to take which strategy, by expected validation result: (n, label), n rising from 1.

    The strategy changes only where another one's is ahead by more than the smallest difference that matters (on as
    many examples as the validation split has), so that a tie does not look like advice. It is no verdict: that comes
    from confirmed results. Empty where `refused`, and where fewer than two strategies have a finished search.
    """
    results = summary.results
    found = costs(summary)
    examples = ((results.sweep["provenance"] or {}).get("examples") or {}).get("validation")
    if len(found) < 2 or not examples:
        return []
    sign = 1 if results.metric == "accuracy" else -1
    matters = compare.rope(results.metric, examples, results.sweep["spec"]["task"].get("rope"))
    taken: list[tuple[int, str]] = []
    for n in sorted({int(n) for cost in found for n in cost.n}):
        here = {cost.strategy.label: sign * float(cost.mean[cost.n == n][0]) for cost in found if n in cost.n}
        best = max(here, key=lambda label: here[label])
        if not taken or here.get(taken[-1][1], -np.inf) < here[best] - matters:
            taken.append((n, best))
    return taken


def _pool(results: Results, strategy: Strategy) -> list[NDArray[np.float64]]:
    """The validation results of every repeat that is searched to its end, an array each."""
    slots: dict[int, list[float | None]] = {}
    for run in results.of("search", strategy.label, results.longest):
        slots.setdefault(run.repeat, []).append(run.value("validation", results.metric))
    return [np.array(values, dtype=np.float64) for values in slots.values() if None not in values]


def _cost(strategy: Strategy, pool: list[NDArray[np.float64]], trials: int, metric: str) -> Cost:
    most = min(map(len, pool))
    searched = trials == 1 or most > 1
    n = np.unique(np.geomspace(1, most if searched else trials, POINTS).round().astype(np.int64))
    found = compare.expected_best_curve(pool, n if searched else [1], lower_is_better=metric == "loss")
    top = 1.0 if metric == "accuracy" else np.inf
    mean, low, high = (
        np.broadcast_to(x, n.shape) for x in (found.mean, np.maximum(found.low, 0), np.minimum(found.high, top))
    )
    return Cost(strategy, n, mean, low, high, searched)
