"""The confirmed test results, the ones to quote."""

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
TITLE = "Confirmed on test"
READ = (
    "The large mark is a strategy's mean over the repeats, the bar its 95% interval (a t interval, cut "
    "at what is possible). The small marks below "
    "it are the repeats, each the mean over its fresh seeds: how far they scatter is how much a search's "
    "luck matters. Circles are fixed strategies, diamonds reactive ones. Intervals that overlap are no "
    "proof of equality, since the repeats are paired; the differences stand in the table of pairs."
)


_ROOM = 2.0
"""How far the axis of a bounded metric goes beyond what is possible, so that marks at its ends are whole."""


class Confirmed(NamedTuple):
    """For each length, the longest first, its lines with the best first."""

    metric: str
    lengths: tuple[tuple[float, tuple[Line, ...]], ...]


def data(summary: Summary) -> Confirmed:
    """Confirmed means, intervals and repeats at every length."""
    results = summary.results
    lengths = sorted(results.lengths, reverse=True)
    return Confirmed(
        results.metric,
        tuple((n, tuple(_line(row, results.metric) for row in summary.ranked(n))) for n in lengths),
    )


def draw(shown: Confirmed) -> Figure:
    """One panel a length, one line a strategy."""
    several = len(shown.lengths) > 1
    panels = [
        Panel(f"{words.percent(length)} of the epochs" if several else "", lines) for length, lines in shown.lengths
    ]
    values = [line.by_repeat for panel in panels for line in panel.lines]
    metric = METRICS[shown.metric]
    low, high = look.limits([*values, forest.ends(panels)], metric.axis)
    # with two repeats a t interval can reach from -200% to 300%: the axis ends where results do
    low, high = max(low, -_ROOM if metric.bounded else 0.0), min(high, _highest(shown))
    return forest.draw(panels, f"confirmed test {metric.label} {metric.hint}".rstrip(), (low, high))


def _highest(shown: Confirmed) -> float:
    """Where the axis ends at the latest, in the results' unit."""
    greatest = max((float(x) for _, lines in shown.lengths for line in lines for x in line.by_repeat), default=1.0)
    metric = METRICS[shown.metric]
    return metric.factor * metric.high + _ROOM if metric.bounded else 1.5 * max(greatest, 1e-6)


def _line(row: Row, metric: str) -> Line:
    factor = METRICS[metric].factor
    interval = row.confirmed[metric]
    present = row.by_repeat[np.isfinite(row.by_repeat)]
    if interval is None:
        return Line(row.strategy, None, present, "not confirmed yet")
    remark = words.value(metric, interval.mean)
    if row.account.confirm.diverged:
        remark += f", {row.account.confirm.diverged} of {row.account.confirm.done} diverged"
    return Line(row.strategy, forest.scaled(interval, factor), factor * present, remark)
