"""How the chosen configurations fare when they are trained again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from decaybench.compare import Interval
from decaybench.findings.retraining import Retrained
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest, look
from decaybench.report.figures.forest import Line, Panel

NAME = "retrained"
TITLE = "Test results after retraining"
READ = (
    "The best configurations of a strategy are trained again on fresh seeds (the choosing runs), and validation "
    "chooses one of them. The small marks are the test results of the chosen one on further seeds, which did not "
    "choose it, and the large mark is their mean. The upright tick is the strategy's estimate: the expected test "
    "result of a search. If the mean is far worse than the tick, or choosing runs failed, the strategy is fragile: a "
    "good result was partly the luck of its seed. A choosing run fails if it diverges, or if its validation result is "
    "closer to chance than to that of the trial. An arrow at the edge stands for one or more runs beyond it."
)


class Lines(NamedTuple):
    """One line per retrained strategy, in the order of the tables."""

    metric: str
    lines: tuple[Line, ...]


def data(summary: Summary) -> Lines | None:
    """The further runs of every chosen configuration, and their mean; None if nothing was retrained."""
    metric = summary.results.metric
    lines = [_line(row, row.retrained, metric) for row in summary.ranked() if row.retrained and row.retrained.choosing]
    return Lines(metric, tuple(lines)) if lines else None


def draw(shown: Lines) -> Figure:
    """One line per strategy."""
    metric = METRICS[shown.metric]
    inner = forest.inner(shown.lines)
    core = [x for line in inner for x in (line.interval and line.interval.mean, line.reference) if x is not None]
    core += [float(x) for line in inner if line.values.size for x in np.quantile(line.values, (0.25, 0.75))]
    limits = look.limits_around(core, [line.values for line in shown.lines], metric.axis)
    return forest.draw([Panel("", shown.lines)], f"test {metric.label} {metric.hint}".rstrip(), limits, room=2.25)


def _line(row: Row, found: Retrained, metric: str) -> Line:
    factor, estimate = METRICS[metric].factor, row.estimates[metric]
    known = [value for run in found.further if (value := run.value("test", metric)) is not None]
    remark = "not complete yet" if found.mean is None else words.value(metric, found.mean)
    if estimate is not None:
        remark += f", estimate {words.value(metric, estimate.mean)}"
    remark += f"\n{found.failures} of {words.count(len(found.choosing), 'choosing run')} failed"
    return Line(
        row.strategy,
        None if found.mean is None else Interval(factor * found.mean, None, None),
        factor * np.array(known),
        remark,
        None if estimate is None else factor * estimate.mean,
        row.state == "ruled out",
    )
