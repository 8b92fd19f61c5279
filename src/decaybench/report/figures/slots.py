"""The results of all trials, best first: how much of its search space suits a strategy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS
from decaybench.report.figures import look
from decaybench.report.figures.validated import Search, Slots, chance_line, label, points, search, value_limits

NAME = "slots"
TITLE = "All trials, best first"
READ = (
    "All trials of a strategy in order, the best on the left. A line that stays good far to the right belongs to a "
    "strategy that is easy to tune: most configurations work. A line that gets worse at once belongs to a strategy "
    "that needs luck or a larger budget. Black rings are the best trials of the repeats. Crosses are diverged trials, "
    "drawn at chance (dotted line). The other strategies are grey. The best trials were selected on these results, so "
    "the left end is optimistic."
)


def data(summary: Summary) -> Search:
    """Every trial that is done at the longest length, except for stopped ones; best first per strategy."""
    shown = search(summary.results)
    return shown._replace(slots=tuple(_best_first(slots, shown.metric) for slots in shown.slots))


def draw(shown: Search) -> Figure:
    """One panel per strategy, result against the share of trials that are at least as good."""
    strategies = [slots.strategy for slots in shown.slots]
    figure, panels = look.small_multiples(strategies, "share of the trials, %, best first", label(shown.metric))
    for axes, own in zip(panels, shown.slots, strict=True):
        chance_line(axes, shown)
        for other in shown.slots:
            if other is not own:
                axes.plot(_share(other), other.result, color=look.OTHERS, lw=0.8, zorder=1)
        style = look.FAMILY[own.strategy.family]
        axes.plot(_share(own), own.result, color=style.color, ls=style.line, lw=0.9, alpha=0.6, zorder=2)
        points(axes, own, _share(own), shown.metric)
    panels[0].set_xlim(-3, 103)
    panels[0].set_ylim(*value_limits(shown))
    return figure


def _best_first(slots: Slots, metric: str) -> Slots:
    order = np.lexsort((slots.diverged, -METRICS[metric].sign * slots.result))
    _, rate, result, diverged, winner, stopped = slots
    return Slots(slots.strategy, rate[order], result[order], diverged[order], winner[order], stopped)


def _share(slots: Slots) -> NDArray[np.float64]:
    """(N,) the middle of each trial's share of the axis, in percent."""
    n = slots.result.size
    return 100 * (np.arange(n) + 0.5) / max(n, 1)
