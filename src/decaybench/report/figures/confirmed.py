"""Figure 5: the confirmed test results, the ones to quote."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.compare import Interval
from decaybench.report import words
from decaybench.report.figures import look
from decaybench.report.results import Strategy
from decaybench.report.summary import Row, Summary

NAME = "confirmed"
TITLE = "Confirmed on test"
READ = (
    "The large mark is a strategy's mean over the repeats, the bar its 95% interval (a t interval, which "
    "knows no bounds; where it passes what is possible, the bar leaves the picture). The small marks below "
    "it are the repeats, each the mean over its fresh seeds: how far they scatter is how much a search's "
    "luck matters. Circles are fixed strategies, diamonds reactive ones. Intervals that overlap are no "
    "proof of equality, since the repeats are paired; the differences stand in the table of pairs."
)


class Line(NamedTuple):
    """One strategy at one length: mean and interval, and repeats (R,), in percent or nats."""

    strategy: Strategy
    interval: Interval | None
    by_repeat: NDArray[np.float64]
    remark: str


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
    labels = [look.wrapped(line.strategy.label) for _, lines in shown.lengths for line in lines]
    left = 0.35 + 0.078 * max(len(part) for label in labels for part in label)
    step = max(0.32, 0.15 * max(len(label) for label in labels))
    rows = len(shown.lengths[0][1])
    several = len(shown.lengths) > 1
    head, gap = (0.3, 0.62) if several else (0.1, 0.55)
    height = len(shown.lengths) * (max(rows, 2) * step + head + gap)
    figure = Figure(figsize=(look.WIDTH, height))
    values = [line.by_repeat for _, lines in shown.lengths for line in lines]
    ends = [b for _, lines in shown.lengths for ln in lines if ln.interval for b in ln.interval[1:] if b is not None]
    fallback = (0.0, 100.0) if shown.metric == "accuracy" else (0.0, 3.0)
    low, high = look.limits([*values, ends], fallback)
    # with two repeats a t interval can reach from -200% to 300%: the axis ends where results do
    low, high = max(low, -2.0 if shown.metric == "accuracy" else 0.0), min(high, _highest(shown))
    for place, (length, lines) in enumerate(shown.lengths):
        bottom = 1 - ((place + 1) * height / len(shown.lengths) - gap) / height
        size = (look.WIDTH - left - 1.65) / look.WIDTH, max(rows, 2) * step / height
        axes = figure.add_axes((left / look.WIDTH, bottom, *size))
        for y, line in enumerate(lines):
            style = look.FAMILY[line.strategy.family]
            marks: dict[str, Any] = {"color": style.color, "marker": style.marker, "ls": "none"}
            axes.plot(line.by_repeat, np.full(line.by_repeat.size, y + 0.26), ms=3.2, mew=0, alpha=0.5, **marks)
            if line.interval is not None:
                mean, lower, upper = line.interval
                if lower is not None and upper is not None:
                    axes.plot([lower, upper], [y, y], color=style.color, lw=2.2, solid_capstyle="round", alpha=0.9)
                axes.plot([mean], [y], ms=7.5, mec="white", mew=0.9, **marks)
            axes.text(
                1.015,
                y,
                line.remark,
                transform=axes.get_yaxis_transform(),
                va="center",
                size=7.5,
                color=look.INK,
            )
        axes.set_yticks(range(rows), ["\n".join(look.wrapped(line.strategy.label)) for line in lines], parse_math=False)
        axes.tick_params(axis="y", length=0, labelsize=8.5)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_ylim(max(rows, 2) - 0.5, -0.5)
        axes.set_xlim(low, high)
        if several:
            axes.set_title(f"{words.percent(length)} of the epochs", loc="left", weight="bold", size=9)
        what = (
            "confirmed test accuracy, %" if shown.metric == "accuracy" else "confirmed test loss, nats (less is better)"
        )
        axes.set_xlabel(what, size=9)
    return figure


def _highest(shown: Confirmed) -> float:
    """Where the axis ends at the latest, in the results' unit."""
    greatest = max((float(x) for _, lines in shown.lengths for line in lines for x in line.by_repeat), default=1.0)
    return 102.0 if shown.metric == "accuracy" else 1.5 * max(greatest, 1e-6)


def _line(row: Row, metric: str) -> Line:
    factor = 100 if metric == "accuracy" else 1
    interval = row.confirmed(metric)
    present = row.by_repeat[np.isfinite(row.by_repeat)]
    if interval is None:
        return Line(row.strategy, None, present, "not confirmed yet")
    remark = words.value(metric, interval.mean)
    if row.confirm_diverged:
        remark += f", {row.confirm_diverged} of {row.confirm_done} diverged"
    scaled = Interval(*(None if x is None else factor * x for x in interval))  # type: ignore[arg-type] # the mean is never None
    return Line(row.strategy, scaled, factor * present, remark)
