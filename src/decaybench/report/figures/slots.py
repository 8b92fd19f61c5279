"""Every slot's result, best first: how much of its search space a strategy likes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.findings.summary import Summary
from decaybench.report.figures import look
from decaybench.report.figures.validated import Search, Slots, chance_line, label, points, search, value_limits

NAME = "slots"
TITLE = "Every slot's result, best first"
READ = (
    "All slots of a strategy in order, the best on the left. A line that stays good far to the right "
    "belongs to a strategy that is easy to tune: most settings work. One that falls at once needs luck or "
    "a larger budget. Black rings: the settings that the repeats selected. Crosses: diverged runs, counted "
    "at chance (dotted line). Grey: the other strategies. Selected on validation: the left end is "
    "optimistic."
)


def data(summary: Summary) -> Search:
    """Every slot that is done, but for stopped ones, at the longest length, each strategy's best first."""
    shown = search(summary.results)
    return shown._replace(slots=tuple(_best_first(slots, shown.metric) for slots in shown.slots))


def draw(shown: Search) -> Figure:
    """One panel a strategy, result against the share of slots that are at least as good."""
    strategies = [slots.strategy for slots in shown.slots]
    figure, panels = look.small_multiples(strategies, "share of the slots, %, best first", label(shown.metric))
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
    order = np.lexsort((slots.diverged, slots.result if metric == "loss" else -slots.result))
    _, rate, result, diverged, winner, stopped = slots
    return Slots(slots.strategy, rate[order], result[order], diverged[order], winner[order], stopped)


def _share(slots: Slots) -> NDArray[np.float64]:
    """(N,) the middle of every slot's own share of the axis, in percent."""
    n = slots.result.size
    return 100 * (np.arange(n) + 0.5) / max(n, 1)
