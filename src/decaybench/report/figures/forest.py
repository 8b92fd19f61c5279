"""What the figures of means over repeats share: one line per strategy with its repeats, mean and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.compare import Interval
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import look

_ROPE = "#e8e8e8"


class Line(NamedTuple):
    """One strategy: mean and interval, and its available repeats (R,), in percent, points or nats."""

    strategy: Strategy
    interval: Interval | None
    by_repeat: NDArray[np.float64]
    remark: str


class Panel(NamedTuple):
    """The lines of one panel from the top; the ``title`` may be empty."""

    title: str
    lines: tuple[Line, ...]


class Differences(NamedTuple):
    """Panels of differences in points or nats, further right is better; ``rope`` in the metric's own unit."""

    metric: str
    rope: float
    panels: tuple[Panel, ...]


def difference(strategy: Strategy, metric: str, found: Interval | None, by_repeat: NDArray[np.float64]) -> Line:
    """The line of an interval and repeats (R,) in the metric's own unit; NaN if a repeat has no difference."""
    if found is None:
        return Line(strategy, None, np.empty(0), "no common repeat yet")
    remark = words.number(metric, found.mean, signed=True)
    if bounds := words.bounds(metric, found, signed=True):
        remark += f" ({bounds})"
    factor = METRICS[metric].factor
    return Line(strategy, scaled(found, factor), factor * by_repeat[np.isfinite(by_repeat)], remark)


def draw_differences(shown: Differences, what: str) -> Figure:
    """`draw` around zero."""
    metric = METRICS[shown.metric]
    lines = [line for panel in shown.panels for line in panel.lines]
    rope = metric.factor * shown.rope
    repeats = np.concatenate([np.empty(0), *(line.by_repeat for line in lines)])
    means = [line.interval.mean for line in lines if line.interval]
    # one diverged run is 80 points: the axis covers all means and most repeats, the rest gets an arrow at the edge
    reach = 1.15 * max(3 * float(np.quantile(np.abs(repeats), 0.75)), 2 * rope, *(abs(mean) for mean in means))
    low, high = look.limits([repeats, ends(shown.panels), [-rope, rope]], (-1.0, 1.0))
    limits = (max(low, -reach), min(high, reach)) if reach else (low, high)
    xlabel = f"{what}, {metric.gap_unit} (further right is better)"
    return draw(shown.panels, xlabel, limits, rope or None, True, margin=2.0)


def scaled(interval: Interval, factor: float) -> Interval:
    """The interval in another unit."""
    mean, low, high = interval
    return Interval(factor * mean, None if low is None else factor * low, None if high is None else factor * high)


def ends(panels: Sequence[Panel]) -> list[float]:
    """The bounds of all intervals."""
    return [b for panel in panels for ln in panel.lines if ln.interval for b in ln.interval[1:] if b is not None]


def draw(
    panels: Sequence[Panel],
    xlabel: str,
    limits: tuple[float, float],
    rope: float | None = None,
    against_zero: bool = False,
    margin: float = 1.65,
) -> Figure:
    """Panels below each other on one scale; ``rope`` is shaded around 0, ``margin`` inches are for remarks."""
    labels = [look.wrapped(line.strategy.label) for panel in panels for line in panel.lines]
    left = 0.35 + 0.078 * max(len(part) for label in labels for part in label)
    step = max(0.32, 0.15 * max(len(label) for label in labels))
    rows = max(2, *(len(panel.lines) for panel in panels))
    head, gap = (0.3, 0.62) if any(panel.title for panel in panels) else (0.1, 0.55)
    each = rows * step + head + gap
    height = len(panels) * each
    figure = Figure(figsize=(look.WIDTH, height))
    for place, panel in enumerate(panels):
        bottom = 1 - ((place + 1) * each - gap) / height
        size = (look.WIDTH - left - margin) / look.WIDTH, rows * step / height
        axes = figure.add_axes((left / look.WIDTH, bottom, *size))
        if rope is not None:
            axes.axvspan(-rope, rope, color=_ROPE, lw=0, zorder=0)
        if against_zero:
            axes.axvline(0, color=look.FAINT, lw=0.9, zorder=1)
        for y, line in enumerate(panel.lines):
            _line(axes, y, line, *limits)
        names = ["\n".join(look.wrapped(line.strategy.label)) for line in panel.lines]
        axes.set_yticks(range(len(names)), names, parse_math=False)
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_xlim(*limits)
        if panel.title:
            axes.set_title(panel.title, loc="left", weight="bold", size=9, parse_math=False)
        axes.set_xlabel(xlabel, size=9)
    return figure


def _line(axes: Axes, y: int, line: Line, low: float, high: float) -> None:
    style = look.FAMILY[line.strategy.family]
    marks: dict[str, Any] = {"color": style.color, "marker": style.marker, "ls": "none"}
    inside = line.by_repeat[(low <= line.by_repeat) & (line.by_repeat <= high)]
    axes.plot(inside, np.full(inside.size, y + 0.26), ms=3.2, mew=0, alpha=0.5, **marks)
    for edge, arrow, beyond in ((low, "<", line.by_repeat < low), (high, ">", line.by_repeat > high)):
        if beyond.any():
            axes.plot([edge], [y + 0.26], arrow, color=style.color, ms=4.5, mew=0, clip_on=False)
    if line.interval is not None:
        mean, lower, upper = line.interval
        if lower is not None and upper is not None:
            axes.plot([lower, upper], [y, y], color=style.color, lw=2.2, solid_capstyle="round", alpha=0.9)
        axes.plot([mean], [y], ms=7.5, mec="white", mew=0.9, **marks)
    beside = axes.get_yaxis_transform()
    axes.text(1.015, y, line.remark, transform=beside, va="center", size=7.5, color=look.INK)
