"""Training and validation loss over the epochs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from decaybench.findings.results import Results
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report.figures import look

NAME = "curves"
TITLE = "Training and validation loss"
READ = (
    "A panel shows the best trials of all repeats. The thick line is their median validation loss, and the band "
    "extends from the lowest to the highest. The dotted line is the median training loss; where it falls below the "
    "thick line, the model overfits. The median validation losses of the other strategies are grey. A cross marks the "
    "last complete epoch of a diverged trial. Losses above ten times that of chance are not shown."
)


class Curves(NamedTuple):
    """One strategy: epochs, medians, lowest and highest validation, all (E,); diverged runs' ends (D, 2).

    ``top`` is the highest loss that may be drawn, ten times chance.
    """

    strategy: Strategy
    epoch: NDArray[np.int64]
    train: NDArray[np.float64]
    validation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    ends: NDArray[np.float64]
    runs: int
    diverged: int
    top: float


def data(summary: Summary) -> tuple[Curves, ...]:
    """Medians and bands over each repeat's best trial at the longest length, as far as they got."""
    return tuple(_curves(summary.results, strategy) for strategy in summary.results.strategies)


def draw(curves: tuple[Curves, ...]) -> Figure:
    """One panel per strategy, loss (log) against epoch."""
    figure, panels = look.small_multiples([c.strategy for c in curves], "epoch", "loss in nats (log scale)")
    low, high = look.log_limits((a for c in curves for a in (c.train, c.low, c.high, c.ends[:, 1])), (0.1, 3.0))
    # A diverging run must not flatten the other curves: ten times chance is high enough.
    high = min(high, max(curves[0].top, 10 * low))
    last = max((int(c.epoch[-1]) for c in curves if c.epoch.size), default=1)
    look.log_axis(panels[0], "y", low, high)
    panels[0].set_xlim(1 - 0.03 * last, 1.03 * last)
    panels[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for axes, own in zip(panels, curves, strict=True):
        style = look.FAMILY[own.strategy.family]
        for other in curves:
            if other is not own:
                axes.plot(other.epoch, np.maximum(other.validation, low), color=look.OTHERS, lw=0.8, zorder=1)
        lone: dict[str, Any] = {"marker": style.marker, "ms": 4} if own.epoch.size == 1 else {}
        band = np.maximum(own.low, low), np.maximum(own.high, low)
        axes.fill_between(own.epoch, *band, color=style.color, alpha=0.18, lw=0, zorder=2)
        axes.plot(own.epoch, np.maximum(own.train, low), color=style.color, ls=":", lw=1.2, zorder=3, **lone)
        axes.plot(
            own.epoch,
            np.maximum(own.validation, low),
            color=style.color,
            ls=style.line,
            lw=1.7,
            zorder=4,
            **lone,
        )
        axes.plot(
            own.ends[:, 0],
            np.clip(own.ends[:, 1], low, high),
            "x",
            color=style.color,
            clip_on=False,
            ms=6,
            mew=1.6,
            zorder=5,
        )
        if own.diverged:
            look.note(axes, f"{own.diverged} of {own.runs} diverged")
        elif not own.epoch.size:
            look.note(axes, "no curve yet")
    return figure


def _curves(results: Results, strategy: Strategy) -> Curves:
    runs = results.best(strategy.label, results.longest)
    found = [(run, results.curves[run.id]) for run in runs if run.id in results.curves]
    epochs = max((int(curve.epoch[-1]) for _, curve in found), default=0)
    train, validation = np.full((2, len(found), epochs), np.nan)
    for row, (_, curve) in enumerate(found):
        train[row, curve.epoch - 1] = curve.train_loss
        validation[row, curve.epoch - 1] = curve.validation_loss
    ends = [(c.epoch[-1], c.validation_loss[-1]) for run, c in found if run.diverged]
    # a column without a number (possible only if the row of an epoch is missing) is left out
    kept = np.isfinite(train).any(axis=0) & np.isfinite(validation).any(axis=0)
    train, validation = train[:, kept], validation[:, kept]
    return Curves(
        strategy=strategy,
        epoch=np.arange(1, epochs + 1)[kept],
        train=np.nanmedian(train, axis=0) if kept.any() else np.empty(0),
        validation=np.nanmedian(validation, axis=0) if kept.any() else np.empty(0),
        low=np.nanmin(validation, axis=0) if kept.any() else np.empty(0),
        high=np.nanmax(validation, axis=0) if kept.any() else np.empty(0),
        ends=np.array(ends, dtype=np.float64).reshape(-1, 2),
        runs=len(runs),
        diverged=sum(run.diverged for run in runs),
        top=10 * results.chance.get("loss", 3.0),
    )
