"""Every strategy's difference from the one to take."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from decaybench.compare import Interval
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest
from decaybench.report.figures.forest import Differences, Line, Panel

NAME = "differences"
TITLE = "Differences from the strategy to take"
READ = (
    "Each strategy is compared with the pick, the strategy to take; if there is none, with the leader. A sweep that "
    "tests only the pairs with the control compares with the control. The mark is the difference between the two "
    "estimates over the repeats that both have. The bar is its 95% interval, which holds at all looks together. "
    "Further right is better. Differences within the shaded band, the margin, are too small to matter. A bar that "
    "crosses zero does not show that two strategies are the same. The intervals are not adjusted for the number of "
    "comparisons: among many strategies, about one bar in twenty misses zero by chance. Rely on the verdicts."
)


def data(summary: Summary) -> Differences | None:
    """Every strategy's difference from the reference at every length, positive if it is better; None if none is known.

    A length at which every trial diverged is left out.
    """
    lengths = summary.compared_lengths
    panels = [panel for length in lengths if (panel := _panel(summary, length))]
    return Differences(summary.results.metric, tuple(panels)) if panels else None


def draw(shown: Differences) -> Figure:
    """One panel per length, one line per strategy, zero always visible."""
    return forest.draw_differences(shown, f"difference in test {shown.metric}")


def _panel(summary: Summary, length: float) -> Panel | None:
    """The strategies at a length, without the reference, in the order of the tables; None if no difference is known."""
    rows, margin = summary.ranked(length), summary.standings[length].margin
    reference, what = _reference(summary, length)
    lines = tuple(
        line for row in rows if row is not reference and (line := _line(summary, row, reference, length)) is not None
    )
    title = f"Difference from {reference.strategy.label} ({what})"
    if len(summary.results.lengths) > 1:
        title += f", at {words.percent(length)} of the epochs"
    factor = METRICS[summary.results.metric].factor
    return Panel(title, lines, None if margin is None else factor * margin) if lines else None


def _reference(summary: Summary, length: float) -> tuple[Row, str]:
    rows, control = summary.ranked(length), summary.results.sweep.rules.control
    if control is not None:
        return next(row for row in rows if row.strategy.label == control), "the control"
    if (pick := summary.pick(length)) is not None:
        return pick, "the pick"
    return rows[0], "the best estimate" if summary.leader(length) is None else "the leader"


def _line(summary: Summary, row: Row, reference: Row, length: float) -> Line | None:
    metric = summary.results.metric
    try:
        pair = summary.pair(row.strategy.label, reference.strategy.label, length)
    except KeyError:  # before every strategy has closed a repeat there are no pairs
        return None
    if pair.difference is None:
        return None
    found = Interval(pair.difference, pair.low, pair.high)
    remark = words.number(metric, found.mean, signed=True)
    if bounds := words.bounds(metric, found, signed=True):
        remark += f" ({bounds})"
    interval = forest.scaled(found, METRICS[metric].factor)
    return Line(row.strategy, interval, np.empty(0), f"{remark}\n{pair.verdict}", aside=row.state == "ruled out")
