"""Optuna's own plots of the search, as figures of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import Drawn, evenly, look, sample, svg
from decaybench.report.figures.optuna_searches import by_strategy, together

if TYPE_CHECKING:
    from decaybench.search.views import Search

HISTORY = (
    "A dot is a trial. Trials are in the order of the plan: by repeat, then by trial, then by strategy. The line is "
    "the best result so far; where it is flat, more trials added little. Repeats are independent searches, so a late "
    "improvement may be luck."
)
DISTRIBUTION = (
    "A line shows, for each result on the horizontal axis, the share of a strategy's trials that have at most that "
    "result. For accuracy, a line that rises late is better; for loss, one that rises early. The figure shows the "
    "whole search, including bad configurations, so a wide range counts against a strategy. Diverged trials count as "
    "results at chance."
)
IMPORTANCES = (
    "The importance of a parameter is how well it separates the best results (a tenth of the trials, at least 5) from "
    "the others (PED-ANOVA). The importances of a strategy's parameters add up to 1. Compare parameters within one "
    "strategy only: the wider the range of a parameter, the more it matters, and ranges differ. If a parameter is "
    "switched on or off by another one (NAME.zero, NAME.count), the two share their importance. With few trials this "
    "is only an indication."
)
PARALLEL = (
    "A line is a trial. It crosses each axis at the trial's value, and darker lines have better results. If dark "
    "lines meet at one place on an axis, that value matters; if they are spread over the axis, it does not. A trial "
    "without a parameter crosses its axis at a separate tick. Values are in native units, as in runs.csv."
)
LEAST = 2
MOST_DOTS = 2000
"""The most trials in the history; of more, a random sample is drawn."""
MOST_LINES = 300
"""The most trials in a plot of parallel coordinates; of more, evenly spaced ranks are drawn."""
_SETTINGS: Final[dict[Any, Any]] = {
    "savefig.bbox": "tight",  # legends are beside the axes
    "axes.spines.right": True,  # the axes of parallel coordinates are right spines
    "axes.grid": False,
    "axes.edgecolor": look.FAINT,
}


class Plots(NamedTuple):
    """One kind of plot: its figures, the narrow ones in two columns, and why some are missing."""

    title: str
    read: str
    wide: tuple[Drawn, ...]
    narrow: tuple[Drawn, ...]
    missing: tuple[str, ...]


def draw_optunas(summary: Summary) -> tuple[Plots, ...]:
    """Every plot that can be drawn; the others are in ``missing``. Loads Optuna."""
    searches = by_strategy(summary.results)
    whole = together(summary.results, searches)
    value = f"validation {METRICS[summary.results.metric].label}"
    return (
        _history(whole, value),
        _distribution(searches, value),
        _importances(searches, value),
        _parallel(whole, searches, value),
    )


def _history(whole: Search, value: str) -> Plots:
    from decaybench.search import views

    title = "Search history"
    if len(whole.points) < LEAST:
        return Plots(title, HISTORY, (), (), (_few(whole),))
    read = HISTORY
    if len(whole.points) > MOST_DOTS:
        read += (
            f" The dots are a random sample of {MOST_DOTS} of the {len(whole.points)} trials; the line includes all."
        )

    def draw() -> Axes:
        axes: Axes = views.history(replace(whole, axes=()), value)
        for dots in axes.collections:  # one, and an empty one for infeasible trials, which do not occur
            at = np.asarray(dots.get_offsets())
            dots.set_offsets(at[sample(len(at), MOST_DOTS)])
        return axes

    drawn = _drawn("optuna-history", title, read, draw, (look.WIDTH, 3.2))
    return Plots(title, read, (drawn,), (), ())


def _distribution(searches: tuple[Search, ...], value: str) -> Plots:
    from decaybench.search import views

    title = "Distribution of the results"
    shown = [search for search in searches if len(search.points) >= LEAST]
    missing = tuple(_few(search) for search in searches if search not in shown)
    if not shown:
        return Plots(title, DISTRIBUTION, (), (), missing)
    size = (look.WIDTH, max(3.2, 0.2 * len(shown)))
    drawn = _drawn("optuna-edf", title, DISTRIBUTION, lambda: views.distribution(shown, value), size)
    return Plots(title, DISTRIBUTION, (drawn,), (), missing)


def _importances(searches: tuple[Search, ...], value: str) -> Plots:
    from decaybench.search import views

    title, drawn, missing = "Parameter importance", [], []
    for place, search in enumerate(searches, 1):
        if reason := _alone(search):
            missing.append(reason)
            continue
        size = (0.5 * look.WIDTH, 1.1 + 0.3 * len(search.axes))
        draw = _bound(views.importances, search, value)
        try:
            drawn.append(_drawn(f"optuna-importances-{place}", title, IMPORTANCES, draw, size, search.label))
        except ValueError as reason:
            missing.append(f"{search.label}: {reason}")
    return Plots(title, IMPORTANCES, (), tuple(drawn), tuple(missing))


def _parallel(whole: Search, searches: tuple[Search, ...], value: str) -> Plots:
    from decaybench.search import views

    title, wide, narrow, missing = "Parallel coordinates", [], [], []
    read = PARALLEL
    if any(len(search.points) > MOST_LINES for search in (whole, *searches)):
        read += f" A figure shows at most {MOST_LINES} trials, evenly spaced by rank from the best result to the worst."
    if len(searches) > 1 and len(whole.points) >= LEAST:
        size = (look.WIDTH, max(3.2, 0.2 * len(searches)))
        draw = _bound(views.parallel, _thinned(whole), value)
        wide.append(_drawn("optuna-parallel", title, read, draw, size, "all strategies"))
    for place, search in enumerate(searches, 1):
        if reason := _alone(search):
            missing.append(reason)
            continue
        draw = _bound(views.parallel, _thinned(search), value)
        size = (0.5 * look.WIDTH, 2.8)
        narrow.append(_drawn(f"optuna-parallel-{place}", title, read, draw, size, search.label))
    return Plots(title, read, tuple(wide), tuple(narrow), tuple(missing))


def _thinned(search: Search) -> Search:
    """At most MOST_LINES trials, including the best and the worst; axes that none of them has are left out."""
    if len(search.points) <= MOST_LINES:
        return search
    ranked = sorted(search.points, key=lambda point: point.value)
    points = [ranked[i] for i in evenly(len(ranked), MOST_LINES)]
    return replace(search, points=points, axes=[a for a in search.axes if any(a.name in p.params for p in points)])


def _bound(plot: Callable[[Search, str], Any], search: Search, value: str) -> Callable[[], Any]:
    return lambda: plot(search, value)


def _few(search: Search) -> str:
    return f"{search.label}: {words.count(len(search.points), 'result')} so far"


def _alone(search: Search) -> str:
    """Why the parameters of a search cannot be compared; empty if they can."""
    if len(search.points) < LEAST:
        return _few(search)
    if len(search.axes) == 1:
        return f"{search.label}: only {search.axes[0].name} was searched"
    return "" if search.axes else f"{search.label}: nothing was searched"


def _drawn(
    name: str, title: str, read: str, draw: Callable[[], Any], size: tuple[float, float], label: str = ""
) -> Drawn:
    with look.settings(name), look.pyplot_apart():
        matplotlib.rcParams.update(_SETTINGS)
        axes: Axes = draw()
        figure = axes.figure
        assert isinstance(figure, Figure)
        for place in ("left", "center"):
            axes.set_title("", loc=place)  # Optuna's; the page has its own title
        axes.set_title(label, loc="left", size=9, weight="bold", parse_math=False)
        _tidy(figure, axes)
        figure.set_size_inches(size)
        heading = f"{title}: {label}" if label else title
        return Drawn(name, heading, read, svg.render(figure, name, heading, read))


def _tidy(figure: Figure, axes: Axes) -> None:
    """Remove what is useless here: the legend of a single kind of bars, and the colour bar (a bitmap in the SVG)."""
    legend = axes.get_legend()
    if legend is not None and axes.patches:
        legend.remove()
    for lines in axes.collections:
        if lines.colorbar is not None:
            lines.colorbar.remove()
            lines.set(linewidth=0.9)
            for other in figure.axes:
                other.set_position((0.1, 0.2, 0.8, 0.7))
                if other.get_yscale() == "log":
                    look.log_axis(other, "y", *other.get_ylim())
            for text in axes.get_xticklabels():
                text.set(horizontalalignment="left", rotation_mode="anchor")
