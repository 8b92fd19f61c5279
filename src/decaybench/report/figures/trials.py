"""The results of all trials, best first: how much of its search space suits a strategy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS
from decaybench.report.figures import look
from decaybench.report.figures.every_trial import Search, Tried, chance_line, points, search, value_limits

NAME = "trials"
TITLE = "All trials, best first"
READ = (
    "A panel shows all trials of a strategy in the order of their validation results, the best on the left. A mark is "
    "a trial's test result, and the line is the validation result by which the trials are ordered. If the marks on the "
    "left are worse than the line, the best validation results are optimistic. A line that stays good far to the right "
    "belongs to a strategy that is easy to tune, because most configurations work. A line that gets worse at once "
    "belongs to a strategy that needs luck or a larger budget. Black rings are the best trials of the repeats. Crosses "
    "are diverged trials, drawn at chance (dotted line). The lines of the other strategies are grey."
)


def data(summary: Summary) -> Search:
    """Every trial that is done at the longest length, except for stopped ones; best first per strategy."""
    shown = search(summary.results)
    return shown._replace(strategies=tuple(_best_first(own, shown.metric) for own in shown.strategies))


def draw(shown: Search) -> Figure:
    """One panel per strategy, results against the share of trials that are at least as good."""
    strategies = [own.strategy for own in shown.strategies]
    what = f"{METRICS[shown.metric].label}\n(marks: test; lines: validation)"
    figure, panels = look.small_multiples(strategies, "share of the trials, %, best first", what)
    for axes, own in zip(panels, shown.strategies, strict=True):
        chance_line(axes, shown)
        for other in shown.strategies:
            if other is not own:
                axes.plot(_share(other), other.validation, color=look.OTHERS, lw=0.8, zorder=1)
        style = look.FAMILY[own.strategy.family]
        axes.plot(_share(own), own.validation, color=style.color, ls=style.line, lw=0.9, alpha=0.6, zorder=2)
        points(axes, own, _share(own), own.test, shown.metric)
    panels[0].set_xlim(-3, 103)
    panels[0].set_ylim(*value_limits(shown))
    return figure


def _best_first(own: Tried, metric: str) -> Tried:
    order = np.lexsort((own.diverged, -METRICS[metric].sign * own.validation))
    _, rate, validation, test, diverged, best, stopped = own
    sorted_ = rate[order], validation[order], test[order], diverged[order], best[order]
    return Tried(own.strategy, *sorted_, stopped)


def _share(own: Tried) -> NDArray[np.float64]:
    """(N,) the middle of each trial's share of the axis, in percent."""
    n = own.validation.size
    return 100 * (np.arange(n) + 0.5) / max(n, 1)
