"""What the figures with one line per strategy share: panels below each other, means, intervals and single values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.compare import Interval
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report.figures import look

BELOW = 0.26
"""How far below a line's mean its single values are drawn, in lines."""


class Line(NamedTuple):
    """One strategy: its mean and interval, its single values (N,), and a ``reference``; all in percent, points or nats.

    The ``remark`` stands on the right. A line ``aside`` is far from what matters, and does not widen the axis.
    """

    strategy: Strategy
    interval: Interval | None
    values: NDArray[np.float64]
    remark: str
    reference: float | None = None
    aside: bool = False


class Panel(NamedTuple):
    """The lines of one panel from the top; the ``title`` may be empty. ``margin`` is shaded around 0."""

    title: str
    lines: tuple[Line, ...]
    margin: float | None = None


class Differences(NamedTuple):
    """Panels of differences in points or nats, further right is better."""

    metric: str
    panels: tuple[Panel, ...]


def scaled(interval: Interval, factor: float) -> Interval:
    """The interval in another unit."""
    mean, low, high = interval
    return Interval(factor * mean, None if low is None else factor * low, None if high is None else factor * high)


def draw_differences(shown: Differences, what: str) -> Figure:
    """`draw` around zero, which is always visible."""
    metric = METRICS[shown.metric]
    lines = inner(line for panel in shown.panels for line in panel.lines)
    means = [line.interval.mean for line in lines if line.interval]
    around = [edge for panel in shown.panels for edge in (-1.6 * (panel.margin or 0), 1.6 * (panel.margin or 0))]
    ends = [end for line in lines if line.interval for end in line.interval[1:] if end is not None]
    limits = look.limits_around([0.0, *means, *around], [ends, *(line.values for line in lines)], (-1.0, 1.0))
    return draw(shown.panels, f"{what}, {metric.gap_unit} (further right is better)", limits, room=2.0, zero=True)


def inner(lines: Iterable[Line]) -> list[Line]:
    """The lines that are not aside; all if there is no other."""
    every = list(lines)
    return [line for line in every if not line.aside] or every


def draw(
    panels: Sequence[Panel], xlabel: str, limits: tuple[float, float], *, room: float, zero: bool = False
) -> Figure:
    """One line per strategy, with ``room`` inches on the right for remarks; ``zero`` is marked on request."""
    names = [(panel.title, [line.strategy.label for line in panel.lines]) for panel in panels]
    figure, every = layout(names, xlabel, limits, room)
    for axes, panel in zip(every, panels, strict=True):
        if panel.margin:
            axes.axvspan(-panel.margin, panel.margin, color=look.BAND, lw=0, zorder=0)
        if zero:
            axes.axvline(0, color=look.FAINT, lw=0.9, zorder=1)
        for y, line in enumerate(panel.lines):
            _line(axes, y, line)
    return figure


def layout(
    panels: Sequence[tuple[str, Sequence[str]]],
    xlabel: str,
    limits: tuple[float, float],
    room: float,
    foot: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """Empty panels on one scale below each other: of each its title, which may be empty, and the labels of its lines.

    ``room`` inches are left on the right, and ``foot`` inches below everything.
    """
    names = [look.wrapped(label) for _, labels in panels for label in labels]
    left = 0.4 + 0.078 * max(len(part) for name in names for part in name)
    step = max(0.34, 0.15 * max(len(name) for name in names))
    rows = max(1.4, *(len(labels) for _, labels in panels))
    head, gap = (0.3, 0.62) if any(title for title, _ in panels) else (0.1, 0.55)
    each = rows * step + head + gap
    height = len(panels) * each + foot
    figure, found = Figure(figsize=(look.WIDTH, height)), []
    for place, (title, labels) in enumerate(panels):
        bottom = 1 - ((place + 1) * each - gap) / height
        size = (look.WIDTH - left - room) / look.WIDTH, rows * step / height
        axes = figure.add_axes((left / look.WIDTH, bottom, *size))
        axes.set_yticks(range(len(labels)), ["\n".join(look.wrapped(label)) for label in labels], parse_math=False)
        axes.tick_params(axis="y", length=0, labelsize=8.5, pad=8)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.set_xlim(*limits)
        if title:
            axes.set_title(title, loc="left", weight="bold", size=9, parse_math=False)
        axes.set_xlabel(xlabel, size=9)
        found.append(axes)
    return figure, found


def values_below(axes: Axes, y: int, values: NDArray[np.float64], style: look.Look) -> None:
    """Small marks of single values (N,) below a line; an arrow at the edge stands for those beyond it."""
    low, high = axes.get_xlim()
    inside = values[(low <= values) & (values <= high)]
    marks: dict[str, Any] = {"color": style.color, "mew": 0}
    axes.plot(inside, np.full(inside.size, y + BELOW), style.marker, ms=3.2, alpha=0.5, ls="none", **marks)
    for edge, arrow, beyond in ((low, "<", values < low), (high, ">", values > high)):
        if beyond.any():
            axes.plot([edge], [y + BELOW], arrow, ms=4.5, clip_on=False, **marks)


def at_the_edge(axes: Axes, y: int, mean: float, style: look.Look) -> bool:
    """Whether a mean is beyond the axis, where an arrow then stands for it."""
    low, high = axes.get_xlim()
    if low <= mean <= high:
        return False
    edge, arrow = (low, "<") if mean < low else (high, ">")
    axes.plot([edge], [y], arrow, color=style.color, ms=7, mew=0, clip_on=False, zorder=4)
    return True


def remark(axes: Axes, y: int, text: str) -> None:
    """The text on the right of a line."""
    axes.text(1.015, y, text, transform=axes.get_yaxis_transform(), va="center", size=7.5, color=look.INK)


def _line(axes: Axes, y: int, line: Line) -> None:
    style = look.FAMILY[line.strategy.family]
    values_below(axes, y, line.values, style)
    if line.reference is not None:
        axes.plot([line.reference], [y], "|", color=look.INK, ms=15, mew=1.4, zorder=3)
    if line.interval is not None:
        mean, lower, upper = line.interval
        if lower is not None and upper is not None:
            axes.plot([lower, upper], [y, y], color=style.color, lw=2.2, solid_capstyle="round", alpha=0.9)
        if not at_the_edge(axes, y, mean, style):
            axes.plot([mean], [y], style.marker, color=style.color, ms=7.5, mec="white", mew=0.9, zorder=4)
    remark(axes, y, line.remark)
