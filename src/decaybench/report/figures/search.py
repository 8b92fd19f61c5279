"""The validation result of every trial against its base learning rate."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from decaybench.findings.summary import Summary
from decaybench.report.figures import look, sample
from decaybench.report.figures.every_trial import (
    MOST_BEHIND,
    Search,
    chance_line,
    label,
    points,
    search,
    value_limits,
)

NAME = "search"
TITLE = "Validation result against base learning rate"
READ = (
    "A mark is a trial. A wide plateau of good results means that the strategy tolerates a badly chosen learning "
    "rate; a narrow peak means that it needs tuning. Black rings are the best trials of the repeats. Crosses are "
    "diverged trials, drawn at chance (dotted line). The other strategies are grey. The best trials were selected on "
    "these results, so they are optimistic: quote the test results instead."
)


def data(summary: Summary) -> Search:
    """Every trial that is done at the longest length, except for stopped ones."""
    return search(summary.results)


def draw(shown: Search) -> Figure:
    """One panel per strategy, result against base learning rate (log)."""
    strategies = [own.strategy for own in shown.strategies]
    figure, panels = look.small_multiples(strategies, "base learning rate (log scale)", label(shown.metric))
    low, high = look.log_limits((own.rate for own in shown.strategies), (1e-3, 1.0))
    look.log_axis(panels[0], "x", low, high)
    panels[0].set_ylim(*value_limits(shown))
    for axes, own in zip(panels, shown.strategies, strict=True):
        chance_line(axes, shown)
        others = [other for other in shown.strategies if other is not own]
        x = np.concatenate([np.empty(0), *(other.rate for other in others)])
        y = np.concatenate([np.empty(0), *(other.validation for other in others)])
        some = sample(x.size, MOST_BEHIND)
        axes.plot(x[some], y[some], ls="none", marker="o", ms=2.6, mew=0, color=look.OTHERS, zorder=2)
        points(axes, own, own.rate, own.validation, shown.metric)
    return figure
