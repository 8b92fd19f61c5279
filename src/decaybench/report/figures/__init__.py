"""The figures, a module each, called as its NAME, with TITLE, READ, ``data(summary)`` and ``draw(data)``; their list.

``data`` is None where a sweep has nothing for a figure to show.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.findings.summary import Summary


class Drawn(NamedTuple):
    """A figure of the report: ``svg`` stands alone, ``read`` says how to read it."""

    name: str
    title: str
    read: str
    svg: str


def evenly(total: int, most: int) -> list[int]:
    """At most ``most`` indices of ``total``, both ends among them."""
    return sorted({round(i) for i in np.linspace(0, total - 1, min(total, most))})


def sample(total: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` indices of ``total`` slots in the plan's order, the same ones each time, in order.

    They are random: in that order strategies alternate, and so do the halves of the space under Sobol's points, so
    every n-th slot would be a part of them.
    """
    return np.sort(np.random.default_rng(0).permutation(total)[:most])


def with_data(summary: Summary) -> list[tuple[ModuleType, Any]]:
    """The figures that the sweep has data for, with these data, the confirmed results first. Loads matplotlib."""
    from decaybench.report.figures import (
        confirmed,
        curves,
        differences,
        divergence,
        learning_rate,
        lengths,
        loss_against_rate,
        replay,
        search,
        slots,
        tuning_cost,
        verdicts,
    )

    every = (
        *(confirmed, differences, verdicts, lengths, tuning_cost, learning_rate, loss_against_rate, replay),
        *(curves, search, divergence, slots),
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
