"""The expected test result by tuning budget, for each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaybench.findings import tuning
from decaybench.findings.summary import Summary
from decaybench.findings.tuning import Cost, Lead
from decaybench.metrics import METRICS, Metric
from decaybench.report.figures import look

NAME = "tuning-cost"
TITLE = "What a tuning budget buys"
READ = (
    "A curve shows the test result to expect from n trials of a strategy: n of its trials are drawn at random, and "
    "validation picks one of them. It ends at a quarter of the strategy's trials. Find the number of trials that you "
    "can afford, and see what to expect there. Where curves cross, the order depends on that number. The strategies in "
    "bold lead at some number of trials, and the remark on tuning budgets names them. They and the control have a "
    "band, the 95% interval over the repeats, without adjustment; where bands overlap, the trials do not show which "
    "strategy is better. Only strategies with at least 6 repeats have a curve. The vertical axis is stretched towards "
    "the perfect result."
)
MOST_COLOURED = 8
"""Up to so many strategies, all have their family's colour; of more, only those with a band."""
_LABEL = 0.15


class TuningCost(NamedTuple):
    """Curves of the validation error in percent or of the loss in nats: less is better.

    ``leads`` is the result of `tuning.leads`.
    """

    metric: str
    costs: tuple[Cost, ...]
    leads: tuple[Lead, ...]


def data(summary: Summary) -> TuningCost | None:
    """Every strategy's curve at the longest length; None if there is none, or only for single trials."""
    found = tuning.costs(summary)
    if max((int(cost.n[-1]) for cost in found), default=1) < 2:
        return None
    metric = summary.results.metric
    return TuningCost(metric, tuple(_lost(cost, METRICS[metric]) for cost in found), tuple(tuning.leads(summary)))


def draw(shown: TuningCost) -> Figure:
    """One panel with every curve over the number of trials (log), named at its end."""
    names = {cost.strategy.label: look.wrapped(cost.strategy.label) for cost in shown.costs}
    right = 0.35 + 0.066 * max(len(part) for name in names.values() for part in name)
    height = max(3.4, 0.9 + _LABEL * sum(len(name) for name in names.values()))
    figure = Figure(figsize=(look.WIDTH, height))
    size = (look.WIDTH - 0.8 - right) / look.WIDTH, (height - 0.7) / height
    axes = figure.add_axes((0.8 / look.WIDTH, 0.55 / height, *size))
    most = max(int(cost.n[-1]) for cost in shown.costs)
    look.log_axis(axes, "x", 0.93, most * 1.03)
    ticks = range(1, most + 1) if most <= 10 else [m * 10**power for power in range(6) for m in (1, 2, 5)]
    ticks = [n for n in ticks if n <= most]
    axes.set_xticks(ticks, [str(n) for n in ticks])
    _result_axis(axes, shown)
    strong = {each.label for each in shown.leads} | {c.strategy.label for c in shown.costs if c.strategy.control}
    for cost in shown.costs:
        _curve(axes, cost, cost.strategy.label in strong, len(shown.costs) <= MOST_COLOURED)
    _names(axes, shown, ["\n".join(names[cost.strategy.label]) for cost in shown.costs], height - 0.7)
    axes.set_xlabel("trials n (log scale)", size=9)
    axes.set_ylabel(f"expected test {METRICS[shown.metric].label}", size=9)
    return figure


def _lost(cost: Cost, metric: Metric) -> Cost:
    """The error: 100% minus the accuracy, in percent, or the loss."""
    if not metric.bounded:
        return cost
    mean, low, high = (metric.factor * (metric.high - x) for x in (cost.mean, cost.high, cost.low))
    return cost._replace(mean=mean, low=low, high=high)


def _result_axis(axes: Axes, shown: TuningCost) -> None:
    """A logarithmic axis of the error, labelled with the result if the metric has a greatest value."""
    low, high = look.log_limits((cost.mean for cost in shown.costs), (1.0, 100.0))
    metric = METRICS[shown.metric]
    if not metric.bounded:
        look.log_axis(axes, "y", low, high)
        return
    look.log_axis(axes, "y", low, min(high, 110.0))
    ticks = [lost for lost in (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1) if low <= lost <= high]
    axes.set_yticks(ticks, [f"{metric.factor * metric.high - lost:g}" for lost in ticks])
    axes.invert_yaxis()


def _curve(axes: Axes, cost: Cost, strong: bool, coloured: bool) -> None:
    style = look.FAMILY[cost.strategy.family]
    low, high = sorted(axes.get_ylim())
    mean, lower, upper = (np.clip(x, low, high) for x in (cost.mean, cost.low, cost.high))
    if strong and np.isfinite(lower).all():
        axes.fill_between(cost.n, lower, upper, color=style.color, alpha=0.12, lw=0, zorder=2)
    color = style.color if strong or coloured else look.OTHERS
    axes.plot(cost.n, mean, color=color, ls=style.line, lw=1.7 if strong else 0.9, zorder=4 if strong else 3)
    axes.plot(cost.n[-1:], mean[-1:], style.marker, color=color, ms=3.5, mew=0, zorder=4)


def _names(axes: Axes, shown: TuningCost, names: Sequence[str], inches: float) -> None:
    """The name of every curve beside its end, moved apart if they would overlap."""
    scale = axes.transData + axes.transAxes.inverted()
    ends = np.array([scale.transform((cost.n[-1], cost.mean[-1]))[1] for cost in shown.costs]).clip(0, 1)
    space = np.array([_LABEL * (1 + name.count("\n")) for name in names]) / inches
    leading = {each.label for each in shown.leads}
    for cost, name, end, y in zip(shown.costs, names, ends, apart(ends, space), strict=True):
        color = look.FAMILY[cost.strategy.family].color
        axes.plot([1.0, 1.03], [end, y], transform=axes.transAxes, color=color, lw=0.5, alpha=0.5, clip_on=False)
        weight = "bold" if cost.strategy.label in leading else "normal"
        beside: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "parse_math": False}
        axes.text(1.035, y, name, size=7.5, color=color, weight=weight, **beside)


def apart(wanted: NDArray[np.float64], space: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places (N,) near the ``wanted`` ones in [0, 1], in the same order, each with its ``space`` (N,) around it."""
    order = np.argsort(wanted, kind="stable")
    places = np.empty(wanted.size)
    below = 0.0
    for i in order:
        places[i] = max(wanted[i], below + space[i] / 2)
        below = places[i] + space[i] / 2
    above = max(1.0, float(space.sum()))
    for i in order[::-1]:
        places[i] = min(places[i], above - space[i] / 2)
        above = places[i] - space[i] / 2
    return places
