"""The list of figures. Each is a module with NAME, TITLE, READ, ``data(summary)`` and ``draw(data)``.

``data`` is None if the sweep has nothing for the figure to show.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.findings.summary import Summary


class Drawn(NamedTuple):
    """A figure of the report: a complete ``svg``, and in ``read`` how to read it."""

    name: str
    title: str
    read: str
    svg: str


def evenly(total: int, most: int) -> list[int]:
    """At most ``most`` evenly spaced indices of ``total``, including both ends."""
    return sorted({round(i) for i in np.linspace(0, total - 1, min(total, most))})


def sample(total: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` random indices of ``total`` trials in the plan's order, sorted, the same each time.

    Every n-th trial would not be a fair sample: in the plan's order strategies alternate, and with Sobol's points so do
    the halves of the search space.
    """
    return np.sort(np.random.default_rng(0).permutation(total)[:most])


def with_data(summary: Summary) -> list[tuple[ModuleType, Any]]:
    """The figures that the sweep has data for, with these data, the decision first. Loads matplotlib."""
    from decaybench.report.figures import (
        bounds,
        curves,
        decision,
        differences,
        divergence,
        learning_rate,
        lengths,
        loss_against_rate,
        replay,
        retrained,
        search,
        trials,
        tuning_cost,
        verdicts,
    )

    every = (
        *(decision, bounds, differences, verdicts, lengths, tuning_cost, retrained, replay),
        *(learning_rate, loss_against_rate, curves, search, divergence, trials),
    )
    return [(figure, data) for figure in every if (data := figure.data(summary)) is not None]


def draw_all(summary: Summary) -> tuple[Drawn, ...]:
    """The figures of `with_data`, drawn."""
    from decaybench.report.figures import look, svg

    sweep = summary.results.sweep.name
    drawn = []
    for figure, data in with_data(summary):
        with look.settings(figure.NAME):
            text = svg.render(figure.draw(data), figure.NAME, f"{figure.TITLE} (sweep {sweep})", figure.READ)
        drawn.append(Drawn(figure.NAME, figure.TITLE, figure.READ, text))
    return tuple(drawn)
