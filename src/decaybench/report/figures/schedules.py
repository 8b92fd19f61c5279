"""The curves of the catalogue: the scales of example runs, of one kind with its losses, or of many kinds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from decaybench.report.figures import look, svg
from decaybench.schedules.example import EPOCH, UPDATES, Example

SUFFIXES: Final = (".svg", ".png", ".pdf")
# Without time and versions, so that the same curve gives the same file.
_METADATA: Final = {".png": {"Software": None}, ".pdf": dict.fromkeys(("CreationDate", "Creator", "Producer"))}


def render(examples: Mapping[str, Example], suffix: str) -> bytes:
    """The picture of the kinds' ``examples``, by name, in a format of ``SUFFIXES``."""
    name = next(iter(examples)) if len(examples) == 1 else "schedules"
    # Text as text, in the reader's font: a sixth of the size of outlines, which only the report needs.
    with (
        look.settings(name),
        matplotlib.rc_context({"svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": "DejaVu Sans"}),
    ):
        figure = _one(name, examples[name]) if len(examples) == 1 else _many(examples)
        if suffix == ".svg":
            title = f"The scale of {', '.join(examples)} over an example run of {UPDATES} updates"
            return svg.render(figure, name, title, "scale = learning rate / base learning rate").encode()
        content = io.BytesIO()
        figure.savefig(content, format=suffix[1:], dpi=150, metadata=_METADATA[suffix])
        return content.getvalue()


def _one(kind: str, example: Example) -> Figure:
    """The scale, and below that of a reactive kind the loss that it observed."""
    rows = 1 if example.loss is None else 2
    figure = Figure(figsize=(5.2, 1.1 + 1.5 * rows), layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    _curve(panels[0], kind, example, size=9)
    panels[0].set_ylabel("scale")
    if example.loss is not None:
        each = UPDATES // len(example.loss)
        # An epoch's loss is known at its end.
        at = [(i + 1) * each if each == EPOCH else i for i in range(len(example.loss))]
        panels[1].plot(at, example.loss.tolist(), color=look.FAINT, lw=1.0, marker="." if each > 1 else None)
        panels[1].set_ylabel("loss observed")
        panels[1].locator_params("y", nbins=4)
    panels[-1].set_xlabel("update")
    return figure


def _many(examples: Mapping[str, Example]) -> Figure:
    """One panel per kind; each has its own axis, because the scale of a reactive one may far exceed 1."""
    columns = min(4, len(examples))
    rows = -(-len(examples) // columns)
    figure = Figure(figsize=(look.WIDTH, 0.4 + 1.45 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for axes, (kind, example) in zip(grid.flat, examples.items(), strict=False):
        _curve(axes, kind, example, size=8)
    for place, axes in enumerate(grid.flat):
        axes.set_visible(place < len(examples))
        axes.tick_params(labelbottom=place + columns >= len(examples))
    figure.supxlabel("update", size=9)
    figure.supylabel("scale = learning rate / base learning rate", size=9)
    return figure


def _curve(axes: Axes, kind: str, example: Example, *, size: int) -> None:
    style = look.FAMILY[example.schedule.family]
    scale = example.scale.tolist()
    axes.plot(range(UPDATES), scale, color=style.color, lw=1.4, ds="steps-post")
    axes.set(ylim=(0.0, 1.06 * (max(scale) or 1.0)), xticks=range(0, UPDATES + 1, UPDATES // 4))
    axes.locator_params("y", nbins=4)
    axes.set_title(kind, loc="left", color=style.color, weight="bold", size=size, pad=4, parse_math=False)
    axes.set_title(example.schedule.family, loc="right", color=look.FAINT, size=size - 1.5, pad=4)
