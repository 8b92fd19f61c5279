"""Every strategy's difference to the control, repeat by repeat."""

from __future__ import annotations

from matplotlib.figure import Figure

from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest
from decaybench.report.figures.forest import Differences, Line, Panel

NAME = "differences"
TITLE = "Difference to the control"
READ = (
    "Each strategy is compared with the control. If there are several controls, this is the best one; if there is "
    "none, it is the strategy that came first. The large mark is the mean difference over the repeats, the bar is its "
    "95% t interval, and the small marks are the repeats. An arrow at the edge stands for one or more repeats beyond "
    "it. Further right is better. Differences within the shaded band are too small to matter. A bar inside the band "
    "means that the two are equivalent. A bar that crosses zero and leaves the band is inconclusive, which is not the "
    "same. The intervals are not adjusted for the number of comparisons: among many strategies, expect one bar off "
    "zero by chance. Rely on the verdicts."
)


def data(summary: Summary) -> Differences | None:
    """Paired differences at every length, positive if the strategy is better; None if there are none."""
    results = summary.results
    if summary.adaptive:
        return None
    panels = [panel for length in sorted(results.lengths, reverse=True) if (panel := _panel(summary, length))]
    return Differences(results.metric, results.rope, tuple(panels)) if panels else None


def draw(shown: Differences) -> Figure:
    """One panel per length, one line per strategy, zero always visible."""
    return forest.draw_differences(shown, f"difference in test {shown.metric}")


def _panel(summary: Summary, length: float) -> Panel | None:
    """The strategies at a length, without the reference, best first; None if there is nothing to compare."""
    confirmed = [row for row in summary.ranked(length) if row.rank is not None]
    controls = [row for row in confirmed if row.strategy.control]
    if len(confirmed) < 2:
        return None
    reference = (controls or confirmed)[0]
    lines = tuple(_line(summary, row, reference) for row in confirmed if row is not reference)
    title = f"Minus {reference.strategy.label}, {'the control' if controls else 'which came first'}"
    if len(summary.results.lengths) > 1:
        title += f", at {words.percent(length)} of the epochs"
    return Panel(title, lines)


def _line(summary: Summary, row: Row, reference: Row) -> Line:
    metric = summary.results.metric
    each = METRICS[metric].ahead(row.by_repeat, reference.by_repeat)
    found = summary.pair(row.strategy.label, reference.strategy.label, row.length).difference
    return forest.difference(row.strategy, metric, found, each)
