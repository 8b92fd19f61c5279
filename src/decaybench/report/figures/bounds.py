"""How the bounds shrank from look to look."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.compare import Contest, State
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report.figures import evenly, look

NAME = "bounds"
TITLE = "Bounds at each look"
READ = (
    "A mark is the bound at one look: with 95% confidence, for all strategies and all looks at once, the strategy is "
    "at most this far from the best. Bounds never grow. A strategy whose bound is below the dashed line, the margin, "
    "is good. A line that ends early belongs to a strategy that waits, because more repeats of it would not decide "
    "anything. The other strategies are grey."
)
_TICKS = 9
"""The most repeats that are written below a panel."""


class Line(NamedTuple):
    """One strategy: the repeats (K,) of the looks that it has taken and its bounds (K,) there, in points or nats."""

    strategy: Strategy
    repeats: NDArray[np.int64]
    bounds: NDArray[np.float64]
    state: State
    parked: bool


class Bounds(NamedTuple):
    """Every strategy at the longest length; ``margin`` in points or nats."""

    metric: str
    margin: float
    lines: tuple[Line, ...]


def data(summary: Summary) -> Bounds | None:
    """The bounds over the looks that were taken; None for fewer than two looks, a single strategy, or no result."""
    standing, results = summary.decisive, summary.results
    contest, decided, margin = standing.contest, standing.decision, standing.margin
    if contest is None or decided is None or margin is None or standing.level < 2 or len(results.strategies) < 2:
        return None
    if summary.all_diverged():
        return None
    found = []
    for look_ in standing.looks[: standing.level]:
        # a pair has been looked at up to the lower of its levels, here too
        repeats = [min(own, look_.repeats) for own in contest.repeats]
        then = Contest(contest.trials, repeats, contest.looks, contest.finest, contest.control)
        found.append(then.bounds)
    factor, at = METRICS[results.metric].factor, np.array(standing.taken)
    lines = tuple(
        Line(row.strategy, at[:level], factor * np.array(found)[:level, s], decided.states[s], row.parked)
        for s, (row, level) in enumerate(zip(summary.at(), contest.levels, strict=True))
    )
    return Bounds(results.metric, factor * margin, lines)


def draw(shown: Bounds) -> Figure:
    """One panel per strategy, bound against repeats (both log)."""
    metric = METRICS[shown.metric]
    what = f"bound: at most this far\nfrom the best, {metric.gap_unit} (log scale)"
    figure, panels = look.small_multiples([line.strategy for line in shown.lines], "repeats (log scale)", what)
    low, high = look.log_limits([[shown.margin], *(line.bounds for line in shown.lines)], (0.1, 10.0))
    low = min(low, shown.margin / 2)
    look.log_axis(panels[0], "y", low, high)
    ticks = sorted({int(r) for line in shown.lines for r in line.repeats})
    look.log_axis(panels[0], "x", ticks[0] / 1.15, ticks[-1] * 1.15)
    named = {ticks[i] for i in evenly(len(ticks), _TICKS)}
    panels[0].set_xticks(ticks, [str(tick) if tick in named else "" for tick in ticks])
    for axes, own in zip(panels, shown.lines, strict=True):
        axes.axhspan(low, shown.margin, color=look.BAND, lw=0, zorder=0)
        axes.axhline(shown.margin, color=look.FAINT, lw=0.9, ls=(0, (4, 2)), zorder=1)
        for other in shown.lines:
            if other is not own:
                axes.plot(other.repeats, np.maximum(other.bounds, low), color=look.OTHERS, lw=0.8, zorder=1)
        style = look.FAMILY[own.strategy.family]
        marks: dict[str, Any] = {"marker": style.marker, "ms": 4.5, "mew": 0}
        axes.plot(own.repeats, np.maximum(own.bounds, low), color=style.color, ls=style.line, lw=1.4, zorder=4, **marks)
        look.note(axes, f"{own.state}, waits" if own.parked else own.state, top=own.state == "good")
    return figure
