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
    "Each strategy minus the control (the best of several; without one, the strategy that came first): the large mark "
    "is the mean difference over the repeats, the bar its 95% t interval, the small marks the repeats (an arrow at "
    "the edge: one or more further out). To the right is better. The shaded band is what is too small to matter. A "
    "bar within the band says equivalent; one that reaches over zero shows no difference, which is not the same. The "
    "intervals are not adjusted for how many there are: among many strategies one bar off zero is to be expected, so "
    "the verdicts are what counts."
)


def data(summary: Summary) -> Differences | None:
    """Paired differences at every length, positive where the strategy is better; None where there are none."""
    results = summary.results
    if summary.adaptive:
        return None
    panels = [panel for length in sorted(results.lengths, reverse=True) if (panel := _panel(summary, length))]
    return Differences(results.metric, results.rope, tuple(panels)) if panels else None


def draw(shown: Differences) -> Figure:
    """One panel a length, one line a strategy, zero in sight."""
    return forest.draw_differences(shown, f"difference in confirmed test {shown.metric}")


def _panel(summary: Summary, length: float) -> Panel | None:
    """The length's strategies but the reference, the best first; None where there is nothing to compare."""
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
