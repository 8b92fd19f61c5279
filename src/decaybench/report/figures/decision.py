"""Where every strategy stands: its expected result, its bound to the best, and what follows from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from decaybench.compare import Interval, State
from decaybench.findings.summary import Row, Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import forest, look

NAME = "decision"
TITLE = "Which strategy to take"
READ = (
    "The large mark is a strategy's estimate: the expected test result of a search. A filled mark is good, a hollow "
    "one is open, and a crossed one is ruled out. The thick bar is the 95% interval of the estimate, without "
    "adjustment. The shaded band is as wide as the margin, and begins at the best estimate: differences of that size "
    "do not matter. The thin line ends in a tick, the bound: with 95% confidence, for all strategies at once, a "
    "strategy is no further from the best than its tick is from the best estimate. It is good if the tick lies in the "
    "band. Small marks are each repeat's best trial; their scatter is the luck of a single search. A triangle is the "
    "mean test result of the chosen configuration after retraining. Circles are fixed strategies, diamonds are "
    "reactive ones. An arrow at the edge stands for marks beyond it."
)
_ROOM = 2.45
"""Inches on the right for what is said of a strategy."""
_LEGEND = 0.3
_FILLED: dict[State | None, bool] = {"good": True, "open": False, "ruled out": False, None: True}


class Line(NamedTuple):
    """One strategy; results, bound and retrained mean in percent or nats, None where there is none yet."""

    strategy: Strategy
    estimate: Interval | None
    bound: float | None
    state: State | None
    retrained: float | None
    by_repeat: NDArray[np.float64]
    remark: str


class Panel(NamedTuple):
    """One length: its lines from the top, the best estimate, and the margin, in percent, points or nats."""

    length: float
    lines: tuple[Line, ...]
    best: float | None
    margin: float | None


class Decision(NamedTuple):
    """The panels of every length, the longest first."""

    metric: str
    panels: tuple[Panel, ...]


def data(summary: Summary) -> Decision | None:
    """Every strategy at every length, in the order of the tables; None where nothing compares strategies.

    A length at which every trial diverged is left out.
    """
    lengths = summary.compared_lengths
    if summary.adaptive or not lengths:
        return None
    return Decision(summary.results.metric, tuple(_panel(summary, length) for length in lengths))


def draw(shown: Decision) -> Figure:
    """One panel per length, one line per strategy, all on one axis."""
    metric = METRICS[shown.metric]
    several = len(shown.panels) > 1
    names = [
        (f"{words.percent(panel.length)} of the epochs" if several else "", [ln.strategy.label for ln in panel.lines])
        for panel in shown.panels
    ]
    label = f"test {metric.label} {metric.hint}".rstrip()
    figure, every = forest.layout(names, label, _limits(shown), _ROOM, _LEGEND)
    for axes, panel in zip(every, shown.panels, strict=True):
        if panel.best is not None and panel.margin is not None:
            axes.axvspan(panel.best, panel.best - metric.sign * panel.margin, color=look.BAND, lw=0, zorder=0)
        for y, line in enumerate(panel.lines):
            _line(axes, y, line, panel.best, metric.sign)
    _legend(figure, [line for panel in shown.panels for line in panel.lines])
    return figure


def _panel(summary: Summary, length: float) -> Panel:
    metric = METRICS[summary.results.metric]
    rows = summary.ranked(length)
    found = [metric.factor * estimate.mean for row in rows if (estimate := row.estimates[metric.name]) is not None]
    margin = summary.standings[length].margin
    best = (min(found) if metric.lower_is_better else max(found)) if len(found) > 1 else None
    shaded = None if margin is None else metric.factor * margin
    return Panel(length, tuple(_shown(row, metric.name, len(rows) > 1, margin) for row in rows), best, shaded)


def _shown(row: Row, metric: str, several: bool, margin: float | None) -> Line:
    factor, found, again = METRICS[metric].factor, row.estimates[metric], row.retrained
    return Line(
        strategy=row.strategy,
        estimate=None if found is None else forest.scaled(found, factor),
        bound=None if row.bound is None or not several else factor * row.bound,
        state=row.state,
        retrained=None if again is None or again.mean is None else factor * again.mean,
        by_repeat=factor * row.by_repeat[np.isfinite(row.by_repeat)],
        remark=_remark(row, metric, several, margin),
    )


def _remark(row: Row, metric: str, several: bool, margin: float | None) -> str:
    found = row.estimates[metric]
    if found is None:
        return "no repeat complete yet"
    first = words.value(metric, found.mean)
    if row.parked:
        first += f", waits at {words.count(row.repeats, 'repeat')}"
    if row.state is None or row.bound is None or not several:
        return first
    return f"{first}\n{row.state}, at most {words.at_most(metric, row.bound, margin)} {words.worse(metric)}"


def _limits(shown: Decision) -> tuple[float, float]:
    """Around what may still be taken: one hopeless strategy must not flatten the others."""
    metric = METRICS[shown.metric]
    core: list[float] = []
    for panel in shown.panels:
        core += [ln.estimate.mean for ln in panel.lines if ln.estimate and ln.state != "ruled out"]
        core += [end for end in panel.lines[0].estimate or () if end is not None]
        core += [ln.retrained for ln in panel.lines if ln.retrained is not None and ln.state == "good"]
        if panel.best is not None and panel.margin is not None:
            core += [panel.best, panel.best - 1.6 * metric.sign * panel.margin]
    lines = [line for panel in shown.panels for line in panel.lines]
    ends = [end for line in lines if line.estimate for end in line.estimate if end is not None]
    low, high = look.limits_around(core, [ends, *(line.by_repeat for line in lines)], metric.axis)
    # with two repeats an interval of a loss can reach 30 nats: the axis ends where results do
    found = [x for line in lines for x in line.by_repeat] + [ln.estimate.mean for ln in lines if ln.estimate]
    top = metric.factor * metric.high if metric.bounded else 1.5 * max(found, default=metric.axis[1])
    bottom, top = max(low, 0.0), min(high, top)
    room = 0.02 * (top - bottom)  # marks there are drawn whole
    return max(low, bottom - room), min(high, top + room)


def _line(axes: Axes, y: int, line: Line, best: float | None, sign: int) -> None:
    style = look.FAMILY[line.strategy.family]
    low, high = axes.get_xlim()
    forest.values_below(axes, y, line.by_repeat, style)
    forest.remark(axes, y, line.remark)
    if line.retrained is not None and low <= line.retrained <= high:
        axes.plot([line.retrained], [y - 0.27], "v", color=look.INK, ms=5, mew=0, zorder=5)
    if line.estimate is None:
        return
    mean, lower, upper = line.estimate
    if best is not None and line.bound is not None:
        tick = best - sign * line.bound
        axes.plot([tick, mean], [y, y], color=style.color, lw=0.8, zorder=2)
        axes.plot([tick], [y], "|", color=style.color, ms=9, mew=1.4, zorder=3)
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [y, y], color=style.color, lw=2.6, alpha=0.45, zorder=2)
    if forest.at_the_edge(axes, y, mean, style):
        return
    marks: dict[str, Any] = {"color": style.color, "marker": style.marker, "ls": "none", "zorder": 4}
    if _FILLED[line.state]:
        axes.plot([mean], [y], ms=8, mec="white", mew=0.9, **marks)
    else:
        axes.plot([mean], [y], ms=7, mfc="white", mew=1.5, **marks)
    if line.state == "ruled out":
        axes.plot([mean], [y], "x", color=style.color, ms=5, mew=1.3, zorder=5)


def _legend(figure: Figure, lines: list[Line]) -> None:
    """The marks that occur, in grey, since colours stand for families."""
    states = {line.state for line in lines}
    grey: dict[str, Any] = {"color": look.FAINT, "ls": "none", "marker": "o", "ms": 7}
    keys: list[Any] = []
    if "good" in states:
        keys.append((Line2D([], [], mew=0, **grey), "good"))
    if "open" in states:
        keys.append((Line2D([], [], mfc="white", mew=1.5, **grey), "open"))
    if "ruled out" in states:
        crossed = Line2D([], [], mfc="white", mew=1.5, **grey), Line2D([], [], **{**grey, "marker": "x", "ms": 5})
        keys.append((crossed, "ruled out"))
    if any(line.bound is not None for line in lines):
        keys.append((Line2D([], [], **{**grey, "marker": "|", "ms": 9, "mew": 1.4}), "bound"))
    if any(line.retrained is not None for line in lines):
        keys.append((Line2D([], [], color=look.INK, ls="none", marker="v", ms=5, mew=0), "retrained"))
    keys.append((Line2D([], [], **{**grey, "ms": 3.2, "alpha": 0.7, "mew": 0}), "each repeat's best trial"))
    handles, names = zip(*keys, strict=True)
    figure.legend(
        handles, names, loc="lower left", bbox_to_anchor=(0.1 / look.WIDTH, 0.0), ncols=6, frameon=False, fontsize=8
    )
