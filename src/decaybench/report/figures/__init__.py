"""The figures, a module each with NAME, TITLE, READ, ``data(summary)`` and ``draw(data)``, and their list."""

from __future__ import annotations

from typing import NamedTuple

from decaybench.report.summary import Summary


class Drawn(NamedTuple):
    """A figure of the report: ``svg`` stands alone, ``read`` says how to read it."""

    name: str
    title: str
    read: str
    svg: str


def draw_all(summary: Summary) -> tuple[Drawn, ...]:
    """Every figure in the report's order, the confirmed results first. Loads matplotlib."""
    from decaybench.report.figures import confirmed, curves, learning_rates, look, spread, svg, traces

    sweep = summary.results.sweep["name"]
    drawn = []
    for figure in (confirmed, traces, curves, learning_rates, spread):
        with look.settings(figure.NAME):
            drawing = figure.draw(figure.data(summary))
            text = svg.render(drawing, figure.NAME, f"{figure.TITLE} (sweep {sweep})", figure.READ)
        drawn.append(Drawn(figure.NAME, figure.TITLE, figure.READ, text))
    return tuple(drawn)
