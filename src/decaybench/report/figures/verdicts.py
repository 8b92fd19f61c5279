"""The verdict on every pair as a matrix: which strategy is better, and by how much."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from decaybench.findings.pairs import Pair
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.report import words
from decaybench.report.figures import look
from decaybench.report.words.verdicts import SAID

NAME = "verdicts"
TITLE = "Verdict matrix"
READ = (
    "Each cell compares the strategy of its row with that of its column. The sign is the verdict. The number says how "
    "far the row is ahead (+) or behind (-) over the repeats that both have, in points of accuracy or in nats. Without "
    "a verdict of better or worse, the lead may be luck. Verdicts do not chain: if a is equivalent to b and b to c, "
    "that says nothing about a and c. Below the diagonal are the same comparisons, seen from the other side. Rows and "
    "columns are in the order of the tables, the strategy to take first."
)


_NUMBERED = 0.36
"""The width in inches from which a cell has room for a number beside the sign."""


class Matrix(NamedTuple):
    """Strategies from the best, and the pairs of each with all of them; None with itself and where none is tested."""

    metric: str
    strategies: tuple[Strategy, ...]
    pairs: tuple[tuple[Pair | None, ...], ...]


def data(summary: Summary) -> Matrix | None:
    """Every verdict at the longest length; None if no pair has one, and if every trial diverged."""
    length = summary.results.longest
    if summary.all_diverged(length):
        return None
    strategies = tuple(row.strategy for row in summary.ranked(length))
    pairs = tuple(tuple(_pair(summary, a.label, b.label, length) for b in strategies) for a in strategies)
    if all(pair is None or pair.verdict == "no verdict" for row in pairs for pair in row):
        return None
    return Matrix(summary.results.metric, strategies, pairs)


def draw(matrix: Matrix) -> Figure:
    """A square of cells; where names do not fit, columns have the numbers of their rows instead."""
    n = len(matrix.strategies)
    names = [look.wrapped(f"{place} {strategy.label}") for place, strategy in enumerate(matrix.strategies, 1)]
    longest = max(len(part) for name in names for part in name)
    left = 0.3 + 0.072 * longest
    wide = min(1.3, (look.WIDTH - left - 0.15) / n)
    high = max(min(wide, 0.42), 0.13 * max(len(name) for name in names))
    top, foot = 0.35, 0.6
    height = top + n * high + foot
    figure = Figure(figsize=(look.WIDTH, height))
    axes = figure.add_axes((left / look.WIDTH, foot / height, n * wide / look.WIDTH, n * high / height))
    for y, row in enumerate(matrix.pairs):
        for x, pair in enumerate(row):
            color = SAID[pair.verdict].color if pair else "#d8d8d8"
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor="white", lw=1.2))
            if pair:
                axes.text(x, y, _text(pair, wide), ha="center", va="center", size=8 if wide > 0.6 else 6.5)
    fits = 0.075 * longest < wide
    columns = ["\n".join(name) for name in names] if fits else [str(place) for place in range(1, n + 1)]
    axes.set_xticks(range(n), columns, parse_math=False)
    axes.set_yticks(range(n), ["\n".join(name) for name in names], parse_math=False)
    axes.tick_params(length=0, labelsize=8, top=True, labeltop=True, bottom=False, labelbottom=False)
    for label, strategy in zip(axes.get_yticklabels(), matrix.strategies, strict=True):
        label.set_color(look.FAMILY[strategy.family].color)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    found = {pair.verdict for row in matrix.pairs for pair in row if pair}
    keys = [
        Patch(facecolor=said.color, edgecolor=look.OTHERS, label=f"{said.sign}  {verdict}")
        for verdict, said in SAID.items()
        if verdict in found
    ]
    place = (0.1 / look.WIDTH, 0.05 / height)
    figure.legend(handles=keys, loc="lower left", bbox_to_anchor=place, ncols=3, frameon=False, fontsize=8)
    return figure


def _pair(summary: Summary, a: str, b: str, length: float) -> Pair | None:
    """None for a strategy with itself, and for a pair that is not tested."""
    try:
        return summary.pair(a, b, length)
    except KeyError:
        return None


def _text(pair: Pair, wide: float) -> str:
    sign = SAID[pair.verdict].sign
    if wide < _NUMBERED or pair.difference is None:
        return sign
    return f"{sign}{' ' if wide > 0.6 else chr(10)}{words.number(pair.metric, pair.difference, signed=True)}"
