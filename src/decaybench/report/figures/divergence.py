"""At which base learning rates a strategy's trials diverged, and how often."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from decaybench.compare import Interval, wilson
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report.figures import look, sample
from decaybench.report.figures.every_trial import MOST_OWN, Tried, search

NAME = "divergence"
TITLE = "Where trials diverged"
READ = (
    "A row is a strategy, and a cell is a range of base learning rates. The number and the darkness of a cell show the "
    "share of its trials that diverged. In an empty cell no trial diverged; where a cell is missing, there were no "
    "trials. Ticks are trials, crosses are diverged ones. On the right is the number of all diverged trials, with the "
    "95% interval (Wilson) of their share. That share depends on the search range: a range with higher learning rates "
    "loses more trials, so compare strategies within a column. Most cells contain few trials."
)
BINS = 12
_DARK = 0.55
"""The share from which the number in a cell is white."""


class Row(NamedTuple):
    """One strategy: base learning rate and divergence of its trials (N,); per bin, all and diverged trials (B,)."""

    strategy: Strategy
    rate: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    tried: NDArray[np.int64]
    lost: NDArray[np.int64]
    overall: Interval


class Divergence(NamedTuple):
    """The rows, and the edges (B + 1,) of their bins."""

    edges: NDArray[np.float64]
    rows: tuple[Row, ...]


def data(summary: Summary) -> Divergence | None:
    """Every trial that is done at the longest length; None if none diverged."""
    every = search(summary.results, stopped=True).strategies
    if not any(own.diverged.any() for own in every):
        return None
    edges = np.geomspace(*look.log_limits((own.rate for own in every), (1e-3, 1.0)), BINS + 1)
    return Divergence(edges, tuple(_row(own, edges) for own in every))


def draw(shown: Divergence) -> Figure:
    """One strip of cells per strategy over the base learning rate (log), with its trials as ticks below."""
    names = [look.wrapped(row.strategy.label) for row in shown.rows]
    left = 0.35 + 0.078 * max(len(part) for name in names for part in name)
    step = max(0.38, 0.15 * max(len(name) for name in names))
    height = len(names) * step + 0.6
    figure = Figure(figsize=(look.WIDTH, height))
    size = (look.WIDTH - left - 2.2) / look.WIDTH, (height - 0.6) / height
    axes = figure.add_axes((left / look.WIDTH, 0.52 / height, *size))
    look.log_axis(axes, "x", float(shown.edges[0]), float(shown.edges[-1]))
    for y, row in enumerate(shown.rows):
        color = look.FAMILY[row.strategy.family].color
        for place in np.flatnonzero(row.tried):
            start, stop, share = *shown.edges[place : place + 2], row.lost[place] / row.tried[place]
            axes.add_patch(Rectangle((start, y - 0.42), stop - start, 0.55, fc="white", ec=look.OTHERS, lw=0.6))
            if share:
                axes.add_patch(
                    Rectangle((start, y - 0.42), stop - start, 0.55, fc=color, alpha=0.15 + 0.8 * share, lw=0)
                )
                ink = "white" if share >= _DARK else look.INK
                where = float(np.sqrt(start * stop)), y - 0.145
                axes.text(*where, f"{100 * share:.0f}%", ha="center", va="center", size=6.5, color=ink)
        rate = row.rate[sample(row.rate.size, MOST_OWN)]
        ticks = np.stack(
            [np.full(rate.size, y + 0.22), np.full(rate.size, y + 0.36), np.full(rate.size, np.nan)], axis=1
        )
        axes.plot(np.repeat(rate, 3), ticks.ravel(), color=color, lw=0.8, alpha=0.7)  # one path: many ticks stay small
        crosses = row.rate[row.diverged]
        crosses = crosses[sample(crosses.size, MOST_OWN)]
        axes.plot(crosses, np.full(crosses.size, y + 0.29), "x", color=color, ms=3.8, mew=0.9)
        axes.text(1.015, y, _overall(row), transform=axes.get_yaxis_transform(), va="center", size=7.5)
    axes.set_yticks(range(len(names)), ["\n".join(name) for name in names], parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("base learning rate (log scale)", size=9)
    return figure


def _row(own: Tried, edges: NDArray[np.float64]) -> Row:
    known = np.isfinite(own.rate)
    tried, lost = (np.histogram(own.rate[which], edges)[0] for which in (known, known & own.diverged))
    overall = wilson(int(own.diverged.sum()), own.diverged.size)
    return Row(own.strategy, own.rate, own.diverged, tried, lost, overall)


def _overall(row: Row) -> str:
    if row.overall.low is None or row.overall.high is None:
        return "no repeat is complete yet"
    lost, total = int(row.diverged.sum()), row.diverged.size
    return f"{lost} of {total} diverged ({_share(row.overall.low)} to {_share(row.overall.high)})"


def _share(x: float) -> str:
    return f"{100 * x:.1f}%" if 0 < x < 0.0995 else f"{100 * x:.0f}%"
