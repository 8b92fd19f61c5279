"""How a reactive rule responded to the loss: the learning rate against the loss, as a path over time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.findings.results import Results, Run
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report.figures import evenly, look

NAME = "loss-against-rate"
TITLE = "Learning rate against loss, reactive rules"
READ = (
    "A path is the best trial of one repeat. Each of its points is the end of an epoch, with the epoch's mean training "
    "loss and the learning rate at that time. A path begins at the hollow mark and ends at the filled one. If it falls "
    "towards the left, the learning rate decreased with the loss. Where it is level, the rule did not react. If it "
    "moves up and down at the same loss, the learning rate depends on more than the loss. A path that falls does not "
    "show cause and effect: a fixed decay gives such a path too."
)
MOST_RUNS = 12
"""The most paths in a panel; of more runs, evenly spaced ones are drawn."""


class Path(NamedTuple):
    """The epochs of a run: training losses in nats and learning rates at their ends, both (E,)."""

    loss: NDArray[np.float64]
    rate: NDArray[np.float64]
    diverged: bool


class Paths(NamedTuple):
    """The reactive strategies' paths; ``top`` is the highest loss drawn, ten times chance."""

    strategies: tuple[Strategy, ...]
    paths: tuple[tuple[Path, ...], ...]
    top: float


def data(summary: Summary) -> Paths | None:
    """The best trials of the reactive strategies at the longest length; None if no epoch has loss and rate."""
    results = summary.results
    reactive = tuple(strategy for strategy in results.strategies if strategy.family == "reactive")
    paths = tuple(tuple(p for run in _some(results, s) if (p := _path(results, run)).loss.size) for s in reactive)
    return Paths(reactive, paths, 10 * results.chance.get("loss", 3.0)) if any(paths) else None


def draw(shown: Paths) -> Figure:
    """One panel per strategy, learning rate against training loss (both log)."""
    labels = "training loss of the epoch, nats (log scale)", "learning rate at the end of the epoch\n(log scale)"
    figure, panels = look.small_multiples(shown.strategies, *labels)
    every = [path for paths in shown.paths for path in paths]
    # a diverging run must not shrink the others
    kept = [path for path in every if not path.diverged] or every
    low, high = look.log_limits((path.rate for path in kept), (1e-3, 1.0))
    look.log_axis(panels[0], "y", low, high)
    look.log_axis(panels[0], "x", *look.log_limits((np.minimum(path.loss, shown.top) for path in kept), (0.1, 3.0)))
    for axes, strategy, paths in zip(panels, shown.strategies, shown.paths, strict=True):
        style = look.FAMILY[strategy.family]
        for path in paths:
            rate = np.clip(path.rate, low, high)
            own: dict[str, Any] = {"color": style.color, "zorder": 3}
            axes.plot(path.loss, rate, lw=0.9, alpha=0.6, marker=".", ms=3, mew=0, **own)
            axes.plot(path.loss[:1], rate[:1], style.marker, ms=4.5, mfc="white", mew=1.0, **own)
            mark: dict[str, Any] = {"marker": "x", "mew": 1.6} if path.diverged else {"marker": style.marker, "mew": 0}
            axes.plot(path.loss[-1:], rate[-1:], ls="none", ms=5, **mark, **own)
        if not paths:
            look.note(axes, "no epoch yet")
    return figure


def _some(results: Results, strategy: Strategy) -> list[Run]:
    best = results.best(strategy.label, results.longest)
    runs = [run for run in best if run.id in results.curves and run.id in results.traces]
    return [runs[i] for i in evenly(len(runs), MOST_RUNS)]


def _path(results: Results, run: Run) -> Path:
    curve, trace = results.curves[run.id], results.traces[run.id].astype(np.float64)
    # a diverged run's trace ends within an epoch that has no row
    steps = results.sweep.steps_per_epoch or trace.size // int(curve.epoch[-1])
    ends = curve.epoch * steps - 1
    ends, loss = ends[ends < trace.size], curve.train_loss[ends < trace.size]
    kept = np.isfinite(loss) & np.isfinite(trace[ends])
    return Path(loss[kept], trace[ends][kept], run.diverged)
