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
from decaybench.report import words
from decaybench.report.figures import Drawn, evenly, look, sample, svg
from decaybench.report.figures.optuna_searches import by_strategy, together

if TYPE_CHECKING:
    from decaybench.search.views import Search

HISTORY = (
    "One dot is one slot, in the plan's order: repeat by repeat, slot by slot, strategy by strategy. The line is the "
    "best result so far: once it is flat, more slots brought little. Repeats are independent searches, so that a late "
    "rise is luck as well as work."
)
DISTRIBUTION = (
    "For every result on the lower axis, the share of a strategy's slots that got at most that far. For an accuracy "
    "the line that stays low and rises late is the better one, for a loss the line that rises early. It shows the "
    "whole search, bad settings too, so that a wide range counts against a strategy. Diverged slots count at chance."
)
IMPORTANCES = (
    "How much a parameter tells the best results (a tenth of the slots, at least 5) from the others, as shares that "
    "add up to 1 (PED-ANOVA). Read it within one strategy only: a parameter matters more the wider it was searched, "
    "and ranges differ. Parameters that other parameters switch on or off (NAME.zero, NAME.count) share their weight "
    "with the switch. With few slots this is a hint, not a finding."
)
PARALLEL = (
    "One line is one slot; it crosses every axis at its value, and its colour is its result (the dark ones are the "
    "better). Dark lines that meet at one place of an axis say that this place matters; dark lines all over it, that "
    "it does not. A slot without a parameter crosses its axis at a tick of its own. Values are in native units, "
    "as in runs.csv."
)
LEAST = 2
MOST_DOTS = 2000
"""Slots in the history; of more, a random sample is drawn."""
MOST_LINES = 300
"""Slots in one plot of parallel coordinates; of more, those of evenly spaced results are drawn."""
_SETTINGS: Final[dict[Any, Any]] = {
    "savefig.bbox": "tight",  # legends stand beside the axes
    "axes.spines.right": True,  # the axes of parallel coordinates are right spines
    "axes.grid": False,
    "axes.edgecolor": look.FAINT,
}


class Plots(NamedTuple):
    """One kind of plot: its figures, the narrow ones two abreast, and why some are not there."""

    title: str
    read: str
    wide: tuple[Drawn, ...]
    narrow: tuple[Drawn, ...]
    missing: tuple[str, ...]


def draw_optunas(summary: Summary) -> tuple[Plots, ...]:
    """Every plot that can be drawn; what cannot is named in ``missing``. Loads Optuna."""
    searches = by_strategy(summary.results)
    whole = together(summary.results, searches)
    value = "validation accuracy, %" if summary.results.metric == "accuracy" else "validation loss, nats"
    return (
        _history(whole, value),
        _distribution(searches, value),
        _importances(searches, value),
        _parallel(whole, searches, value),
    )


def _history(whole: Search, value: str) -> Plots:
    from decaybench.search import views

    title = "History of the search"
    if len(whole.points) < LEAST:
        return Plots(title, HISTORY, (), (), (_few(whole),))
    read = HISTORY
    if len(whole.points) > MOST_DOTS:
        read += f" Drawn are {MOST_DOTS} random slots of {len(whole.points)}; the line is that of all."

    def draw() -> Axes:
        axes: Axes = views.history(replace(whole, axes=()), value)
        for dots in axes.collections:  # one, and an empty one for infeasible trials, which there are none of
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
    results = [replace(search, axes=()) for search in shown]
    drawn = _drawn("optuna-edf", title, DISTRIBUTION, lambda: views.distribution(results, value), size)
    return Plots(title, DISTRIBUTION, (drawn,), (), missing)


def _importances(searches: tuple[Search, ...], value: str) -> Plots:
    from decaybench.search import views

    title, drawn, missing = "Importance of the parameters", [], []
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
        read += f" A picture shows at most {MOST_LINES} slots, evenly spaced from the best result to the worst."
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
    """At most MOST_LINES slots, the best and the worst among them; axes that none of these has are left out."""
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
    """Why the parameters of a search cannot be told apart, or no text."""
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
            axes.set_title("", loc=place)  # Optuna's; the page has its own
        axes.set_title(label, loc="left", size=9, weight="bold", parse_math=False)
        _tidy(figure, axes)
        figure.set_size_inches(size)
        heading = f"{title}: {label}" if label else title
        return Drawn(name, heading, read, svg.render(figure, name, heading, read))


def _tidy(figure: Figure, axes: Axes) -> None:
    """Leave out what says nothing here: the only bars' legend; a colour bar (a picture in the SVG) beside its axis."""
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
