"""What the figures share: colours, small multiples, logarithmic ticks, settings of matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from decaybench.findings.sweep import Strategy


class Look(NamedTuple):
    """How a family is drawn: never by colour alone."""

    color: str
    line: str
    marker: str


# Okabe and Ito's blue, vermillion and green: told apart with every kind of colour vision
FAMILY: Final = {
    "fixed": Look("#0072b2", "-", "o"),
    "reactive": Look("#d55e00", "--", "D"),
    "no schedule": Look("#009e73", ":", "s"),
}
INK: Final = "#333333"
FAINT: Final = "#767676"
OTHERS: Final = "#cfcfcf"
BAND: Final = "#e8e8e8"
"""The colour of differences that are too small to matter."""
WIDTH: Final = 9.0
"""Every figure's width in inches."""
_LINE: Final = 28
_SETTINGS: Final[dict[Any, Any]] = {
    "font.family": ["DejaVu Sans"],  # it comes with matplotlib: the same outlines on every machine
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b5b5b5",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titley": 1.0,  # nothing is above the axes, and matplotlib takes long to find that out
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#ececec",
    "grid.linewidth": 0.6,
    "xtick.color": "#b5b5b5",
    "ytick.color": "#b5b5b5",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "svg.fonttype": "path",
    "path.simplify": True,
    "lines.dashed_pattern": [4, 1.6],
}


@contextmanager
def settings(name: str) -> Iterator[None]:
    """matplotlib's defaults and ours, independent of the user's matplotlibrc; ``name`` salts the ids."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_SETTINGS, "svg.hashsalt": name})
        yield


@contextmanager
def pyplot_apart() -> Iterator[None]:
    """For drawing with pyplot without a window. Afterwards its new figures are closed and the backend is unchanged.

    It only replaces the functions with which pyplot makes a figure; it neither switches nor selects a backend.
    """
    from matplotlib import pyplot as plt

    before = set(plt.get_fignums())
    ways = plt.new_figure_manager, plt.draw_if_interactive
    plt.new_figure_manager, plt.draw_if_interactive = _agg_manager, _draw_nothing
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
        plt.new_figure_manager, plt.draw_if_interactive = ways


def _agg_manager(number: int, **settings: Any) -> FigureManagerBase:
    kind = settings.pop("FigureClass")
    return FigureCanvasAgg.new_manager(kind(**settings), number)


def _draw_nothing() -> None:
    """Replaces drawing on the screen."""


def small_multiples(strategies: Sequence[Strategy], xlabel: str, ylabel: str) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per strategy, titled with its label and family, on shared axes."""
    n = len(strategies)
    columns = {1: 1, 2: 2, 4: 2}.get(n, 3)
    rows = -(-n // columns)
    titles = ["\n".join(wrapped(strategy.label)) for strategy in strategies]
    panel = {1: 3.0, 2: 2.5}.get(columns, 1.75)
    head = 0.24 + 0.15 * max(title.count("\n") for title in titles)
    height = rows * (panel + head) + (rows - 1) * 0.12 + 0.62
    figure = Figure(figsize=(WIDTH, height))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=(0.75 + 0.15 * ylabel.count("\n")) / WIDTH,
        right=1 - 0.12 / WIDTH,
        bottom=0.55 / height,
        top=1 - (head + 0.07) / height,
        wspace=0.09,
        hspace=(head + 0.12) / panel,
    )
    for place, axes in enumerate(grid.flat):
        if place >= n:
            axes.set_visible(False)
            continue
        look = FAMILY[strategies[place].family]
        axes.set_title(titles[place], loc="left", color=look.color, weight="bold", size=9, pad=4, parse_math=False)
        axes.set_title(strategies[place].family, loc="right", color=FAINT, size=7.5, pad=4)
        axes.tick_params(length=2.5, labelbottom=place + columns >= n)
    figure.text(0.5 + 0.3 / WIDTH, 0.1 / height, xlabel, ha="center", va="bottom", size=9)
    figure.text(0.1 / WIDTH, 0.5, ylabel, ha="left", va="center", rotation=90, size=9, multialignment="center")
    return figure, list(grid.flat)[:n]


def wrapped(label: str) -> list[str]:
    """A label in lines of at most 28 characters: labels have no spaces to break at."""
    return [label[i : i + _LINE] for i in range(0, len(label), _LINE)]


def note(axes: Axes, text: str, top: bool = False) -> None:
    """A small remark in the lower left corner of the panel, or the upper left one with ``top``."""
    y, side = (0.97, "top") if top else (0.03, "bottom")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    axes.text(0.02, y, text, transform=axes.transAxes, ha="left", va=side, size=7, color=INK, bbox=box)


def limits(values: Iterable[ArrayLike], fallback: tuple[float, float], margin: float = 0.06) -> tuple[float, float]:
    """Linear limits around all finite values, with a margin; never empty."""
    x = _finite(values)
    if not x.size:
        return fallback
    low, high = float(x.min()), float(x.max())
    span = high - low or abs(high) or 1.0
    return low - margin * span, high + margin * span


def limits_around(
    core: Sequence[float], values: Iterable[ArrayLike], fallback: tuple[float, float]
) -> tuple[float, float]:
    """Limits around ``core``, and around the ``values`` as far as they are no further away than the core is wide.

    One diverged run is 80 points away: it must not flatten the rest.
    """
    low, high = limits([core, *values], fallback)
    span = max(core) - min(core) if core else 0.0
    return (max(low, min(core) - span), min(high, max(core) + span)) if span else (low, high)


def log_limits(values: Iterable[ArrayLike], fallback: tuple[float, float]) -> tuple[float, float]:
    """Limits around all positive values for a logarithmic axis, a factor of 7 to 1e7 apart."""
    x = _finite(values)
    x = x[x > 0]
    low, high = (float(x.min()), float(x.max())) if x.size else fallback
    low, high = min(max(low, 1e-290), 1e290), min(max(high, 1e-290), 1e290)
    low = max(low, high / 1e7)
    wider = max(1.0, np.sqrt(7 / (high / low)))
    pad = (high / low) ** 0.05
    # well within the range of a float: somebody will try a learning rate of 1e308
    return max(low / wider / pad, 1e-300), min(high * (wider * pad), 1e300)


def log_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """A logarithmic axis from low to high with few plain ticks, because 6x10^-1 is hard to read."""
    first, last = int(np.ceil(np.log10(low))), int(np.floor(np.log10(high)))
    if last - first >= 2:
        stride = -(-(last - first) // 5)
        ticks = [10.0**power for power in range(first, last + 1, stride)]
    else:
        ticks = [m * 10.0**power for power in range(first - 1, last + 1) for m in (1, 2, 5)]
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: Any) -> str:
    return f"{value:g}" if 1e-4 <= value < 1e5 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _finite(values: Iterable[ArrayLike]) -> NDArray[np.float64]:
    joined = np.concatenate([np.empty(0), *(np.ravel(np.asarray(v, dtype=np.float64)) for v in values)])
    finite: NDArray[np.float64] = joined[np.isfinite(joined)]
    return finite
