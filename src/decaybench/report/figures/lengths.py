"""Expected results by length: does the order hold for longer training?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from decaybench.compare import Interval
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest, look

NAME = "lengths"
TITLE = "Results by length"
READ = (
    "A mark is a strategy's estimate, the expected test result of a search, at one share of the epochs. The bar is its "
    "95% interval, without adjustment; it may extend beyond the figure. The other strategies are grey. Each length is "
    "searched separately, and every schedule is stretched to the end of its run. So these are not training curves; "
    "the lines only guide the eye. If a strategy leads in short runs but not in long ones, do not choose by short "
    "runs. Overlapping intervals do not mean that two strategies are equal: the repeats are paired, so differences are "
    "known better than each result alone."
)


class Line(NamedTuple):
    """One strategy: its estimate and interval at each length (None if there is none), in percent or nats."""

    strategy: Strategy
    intervals: tuple[Interval | None, ...]


class Lengths(NamedTuple):
    """``lengths`` are fractions of the epochs, shortest first."""

    metric: str
    lengths: tuple[float, ...]
    lines: tuple[Line, ...]


def data(summary: Summary) -> Lengths | None:
    """Every strategy at every length; None unless two lengths have results that may be compared."""
    results = summary.results
    lengths = tuple(sorted(results.lengths))
    factor = METRICS[results.metric].factor
    rows = {(row.strategy.label, row.length): row.estimates[results.metric] for row in summary.rows}
    if summary.adaptive or sum(any(rows[s.label, n] for s in results.strategies) for n in lengths) < 2:
        return None
    lines = []
    for strategy in results.strategies:
        found = [rows[strategy.label, n] for n in lengths]
        lines.append(Line(strategy, tuple(None if i is None else forest.scaled(i, factor) for i in found)))
    return Lengths(results.metric, lengths, tuple(lines))


def draw(shown: Lengths) -> Figure:
    """One panel per strategy, result against length, on shared axes."""
    what = f"test {METRICS[shown.metric].label}\n{METRICS[shown.metric].hint}".rstrip()
    strategies = [line.strategy for line in shown.lines]
    figure, panels = look.small_multiples(strategies, "share of the epochs", what)
    x = np.array(shown.lengths)
    every = [interval for line in shown.lines for interval in line.intervals if interval]
    ends = [[b for b in interval if b is not None] for interval in every]
    panels[0].set_ylim(*look.limits_around([interval.mean for interval in every], ends, (0.0, 1.0)))
    margin = 0.12 * (x[-1] - x[0])
    panels[0].set_xlim(x[0] - margin, x[-1] + margin)
    panels[0].set_xticks(x, [words.percent(length) for length in shown.lengths])
    for axes, own in zip(panels, shown.lines, strict=True):
        for other in shown.lines:
            if other is not own:
                axes.plot(x, [np.nan if i is None else i.mean for i in other.intervals], color=look.OTHERS, lw=0.8)
        style = look.FAMILY[own.strategy.family]
        present = [(length, i) for length, i in zip(shown.lengths, own.intervals, strict=True) if i]
        for length, (_, lower, upper) in present:
            if lower is not None and upper is not None:
                axes.plot([length, length], [lower, upper], color=style.color, lw=2.0, alpha=0.45, zorder=3)
        at, mean = [length for length, _ in present], [i.mean for _, i in present]
        marks: dict[str, Any] = {"marker": style.marker, "ms": 5.5, "mec": "white", "mew": 0.8}
        axes.plot(at, mean, color=style.color, ls=style.line, lw=1.4, zorder=4, **marks)
        if not present:
            look.note(axes, "no repeat complete yet")
    return figure
