"""The test results after retraining: the ones to quote."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest, look
from decaybench.report.figures.forest import Line, Panel

NAME = "confirmed"
TITLE = "Test results after retraining"
READ = (
    "The large mark is a strategy's mean over the repeats, and the bar is its 95% t interval, clipped to the range of "
    "the metric. The small marks below it are the repeats, each the mean over its retraining seeds. Their scatter "
    "shows how much the luck of a search matters. Circles are fixed strategies, diamonds are reactive ones. "
    "Overlapping intervals do not prove equality, because the repeats are paired: see the differences in the table of "
    "pairs."
)


_ROOM = 2.0
"""How far the axis of a bounded metric extends beyond its limits, so that marks there are drawn whole."""


class Confirmed(NamedTuple):
    """For each length, longest first, its lines, best first."""

    metric: str
    lengths: tuple[tuple[float, tuple[Line, ...]], ...]


def data(summary: Summary) -> Confirmed:
    """Means after retraining, intervals and repeats at every length."""
    results = summary.results
    lengths = sorted(results.lengths, reverse=True)
    return Confirmed(
        results.metric,
        tuple((n, tuple(_line(row, results.metric) for row in summary.ranked(n))) for n in lengths),
    )


def draw(shown: Confirmed) -> Figure:
    """One panel per length, one line per strategy."""
    several = len(shown.lengths) > 1
    panels = [
        Panel(f"{words.percent(length)} of the epochs" if several else "", lines) for length, lines in shown.lengths
    ]
    values = [line.by_repeat for panel in panels for line in panel.lines]
    metric = METRICS[shown.metric]
    low, high = look.limits([*values, forest.ends(panels)], metric.axis)
    # with two repeats a t interval can reach from -200% to 300%: the axis ends where results do
    low, high = max(low, -_ROOM if metric.bounded else 0.0), min(high, _highest(shown))
    return forest.draw(panels, f"test {metric.label} {metric.hint}".rstrip(), (low, high))


def _highest(shown: Confirmed) -> float:
    """The highest possible end of the axis, in the results' unit."""
    greatest = max((float(x) for _, lines in shown.lengths for line in lines for x in line.by_repeat), default=1.0)
    metric = METRICS[shown.metric]
    return metric.factor * metric.high + _ROOM if metric.bounded else 1.5 * max(greatest, 1e-6)


def _line(row: Row, metric: str) -> Line:
    factor = METRICS[metric].factor
    interval = row.confirmed[metric]
    present = row.by_repeat[np.isfinite(row.by_repeat)]
    if interval is None:
        return Line(row.strategy, None, present, "not retrained yet")
    remark = words.value(metric, interval.mean)
    if row.account.confirm.diverged:
        remark += f", {row.account.confirm.diverged} of {row.account.confirm.done} diverged"
    return Line(row.strategy, forest.scaled(interval, factor), factor * present, remark)
