"""The learning rate that each repeat's best trial used."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from decaybench.findings.results import Results, Run
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report.figures import evenly, look

NAME = "learning-rate"
TITLE = "Learning rate as applied"
READ = (
    "A line shows the learning rate that each update used in the best trial of one repeat. The lines of a panel differ "
    "because each repeat has its own best configuration and seed. The grey lines show one trial of each of the other "
    "strategies. A cross marks where a trial diverged."
)
MOST_RUNS = 12
"""The most lines in a panel; of more runs, evenly spaced ones are drawn."""
POINTS = 300
POINTS_BEHIND = 80


class Line(NamedTuple):
    """A thinned trace: update numbers (N,) from 0 and learning rates (N,)."""

    update: NDArray[np.int64]
    rate: NDArray[np.float64]
    diverged: bool


class Traces(NamedTuple):
    """Lines per strategy, in file order, and one line per strategy for the background of the other panels."""

    strategies: tuple[Strategy, ...]
    lines: tuple[tuple[Line, ...], ...]
    behind: tuple[Line | None, ...]


def data(summary: Summary) -> Traces:
    """Thinned traces of each repeat's best trial at the longest length; equal traces share a line."""
    results = summary.results
    lines, behind = [], []
    for strategy in results.strategies:
        runs = [run for run in results.best(strategy.label, results.longest) if len(results.traces.get(run.id, ()))]
        chosen = _distinct(runs, results)
        lines.append(tuple(_line(run, results, POINTS) for run in chosen))
        whole = [run for run in chosen if not run.diverged] or chosen
        behind.append(_line(whole[0], results, POINTS_BEHIND) if whole else None)
    return Traces(results.strategies, tuple(lines), tuple(behind))


def draw(traces: Traces) -> Figure:
    """One panel per strategy, learning rate (log) against update."""
    figure, panels = look.small_multiples(traces.strategies, "update", "learning rate (log scale)")
    drawn = [line for lines in traces.lines for line in lines]
    low, high = look.log_limits((line.rate for line in drawn), (1e-3, 1.0))
    last = max([1, *(int(line.update[-1]) for line in drawn)])
    look.log_axis(panels[0], "y", low, high)
    panels[0].set_xlim(-0.02 * last, 1.02 * last)
    for place, (axes, strategy) in enumerate(zip(panels, traces.strategies, strict=True)):
        style = look.FAMILY[strategy.family]
        for other, line in enumerate(traces.behind):
            if line is not None and other != place:
                axes.plot(line.update, np.maximum(line.rate, low), color=look.OTHERS, lw=0.8, zorder=1)
        for line in traces.lines[place]:
            rate = np.maximum(line.rate, low)  # a rate of 0 runs along the lower edge
            axes.plot(line.update, rate, color=style.color, ls=style.line, lw=1.1, alpha=0.75, zorder=3)
            if line.diverged:
                axes.plot(line.update[-1], rate[-1], "x", color=style.color, ms=6, mew=1.6, zorder=4)
        if not traces.lines[place]:
            look.note(axes, "no trace yet")
    return figure


def thin(values: ArrayLike, points: int) -> NDArray[np.int64]:
    """Indices (<= points,) of the values (N,) to draw: the ends, and the least and greatest value of every bucket.

    So a peak of a single update stays visible in a trace of a million.
    """
    x = np.asarray(values)
    if x.size <= points:
        return np.arange(x.size)
    edges = np.linspace(1, x.size - 1, (points - 2) // 2 + 1).astype(np.int64)
    kept = [np.array([0, x.size - 1])]
    for start, stop in pairwise(edges):
        kept.append(start + np.array([np.argmin(x[start:stop]), np.argmax(x[start:stop])]))
    return np.unique(np.concatenate(kept))


def _distinct(runs: Sequence[Run], results: Results) -> list[Run]:
    seen = {(results.traces[run.id].tobytes(), run.diverged): run for run in reversed(runs)}
    kept = [run for run in runs if run in seen.values()]
    return [kept[i] for i in evenly(len(kept), MOST_RUNS)]


def _line(run: Run, results: Results, points: int) -> Line:
    trace = np.nan_to_num(results.traces[run.id].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    at = thin(trace, points)
    return Line(at, trace[at], run.diverged)
