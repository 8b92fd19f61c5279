"""The comparison for optuna-dashboard: figures of the report as plotly graphs, which are plain JSON.

plotly draws them in the browser. Numbers keep four digits and long series are thinned, because the dashboard loads all
graphs whenever it shows the study.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.figures import evenly, sample

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from decaybench.report.figures.validated import Search

CONFIRMED, SEARCH, TRACES, SLOTS = (
    f"decaybench-{name}" for name in ("confirmed", "search", "learning-rate", "slots")
)  # fixed, so that a new graph replaces the old one
MOST_POINTS = 2000
"""The most trials in a graph; of more, a random sample of each strategy's is drawn."""
MOST_LINES = 40
"""The most traces of the learning rate in a graph, divided among the strategies."""
TRACE_POINTS = 80
# Okabe and Ito's colours, distinct for every kind of colour vision; dash and mark also show the family
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a8a")
DASH = {"fixed": "solid", "reactive": "dash", "no schedule": "dot"}
MARK = {"fixed": "circle", "reactive": "diamond", "no schedule": "square"}

Graph = dict[str, Any]
LOG: Graph = {"type": "log", "exponentformat": "e"}  # not 100µ


def graphs(summary: Summary) -> dict[str, Graph]:
    """Every graph by its id, ``{"data": [...], "layout": {...}}``. Loads matplotlib, for the figures' data."""
    return {
        CONFIRMED: _confirmed(summary),
        SEARCH: _search(summary),
        TRACES: _traces(summary),
        SLOTS: _slots(summary),
    }


def _confirmed(summary: Summary) -> Graph:
    from decaybench.report.figures import confirmed

    shown = confirmed.data(summary)
    _, lines = shown.lengths[0]
    data: list[Graph] = []
    for place, family in enumerate(MARK):
        own = [(y, line) for y, line in enumerate(lines) if line.strategy.family == family]
        known = [(y, line.interval) for y, line in own if line.interval is not None]
        repeats = [(y, value) for y, line in own for value in line.by_repeat]
        if not known:
            continue
        color = COLORS[place]
        marks: Graph = {"mode": "markers", "name": family, "legendgroup": family, "type": "scatter"}
        above = [(at.high if at.high is not None else at.mean) - at.mean for _, at in known]
        below = [at.mean - (at.low if at.low is not None else at.mean) for _, at in known]
        bars: Graph = {"type": "data", "symmetric": False, "array": _numbers(above), "arrayminus": _numbers(below)}
        data.append(
            marks
            | _xy([at.mean for _, at in known], [y for y, _ in known])
            | {"error_x": bars, "marker": {"size": 11, "symbol": MARK[family], "color": color}}
        )
        data.append(
            marks
            | _xy([value for _, value in repeats], [y + 0.25 for y, _ in repeats])
            | {"showlegend": False, "opacity": 0.5, "hoverinfo": "x"}
            | {"marker": {"size": 6, "symbol": MARK[family], "color": color}}
        )
    metric = METRICS[shown.metric]
    return _graph(
        summary,
        ("Test results after retraining", "mean and 95% interval; small marks: repeats"),
        data,
        {"title": {"text": f"test {metric.label} {metric.hint}".rstrip()}},
        {
            "tickvals": list(range(len(lines))),
            "ticktext": [line.strategy.label for line in lines],
            "range": [len(lines) - 0.4, -0.6],
            "automargin": True,
        },
    )


def _search(summary: Summary) -> Graph:
    from decaybench.report.figures import search

    shown = search.data(summary)
    axis = {"title": {"text": "base learning rate"}, **LOG}
    title = ("Validation result by learning rate", "ringed: best of a repeat; x: diverged")
    return _graph(summary, title, _marks(shown, rates=True), axis, _result_axis(shown))


def _slots(summary: Summary) -> Graph:
    from decaybench.report.figures import slots

    shown = slots.data(summary)
    axis = {"title": {"text": "share of the trials, %, best first"}}
    title = ("All trials, best first", "ringed: best of a repeat; x: diverged")
    return _graph(summary, title, _marks(shown, rates=False), axis, _result_axis(shown))


def _traces(summary: Summary) -> Graph:
    from decaybench.report.figures import learning_rate

    shown = learning_rate.data(summary)
    most = max(1, MOST_LINES // len(shown.strategies))
    data = []
    for place, (strategy, lines) in enumerate(zip(shown.strategies, shown.lines, strict=True)):
        for i in evenly(len(lines), most):
            line = lines[i]
            at = learning_rate.thin(line.rate, TRACE_POINTS)
            style = {"color": COLORS[place % len(COLORS)], "dash": DASH[strategy.family], "width": 1.5}
            # a rate of 0 has no logarithm: it leaves a gap
            rate = [value if value else None for value in _numbers(line.rate[at])]
            data.append(
                _of(strategy, first=i == 0)
                | {"mode": "lines", "line": style, "x": line.update[at].tolist(), "y": rate, "opacity": 0.8}
            )
    title = ("Learning rate as applied", "best configurations; dashed: reactive")
    return _graph(
        summary,
        title,
        data,
        {"title": {"text": "update"}},
        {"title": {"text": "learning rate"}, **LOG},
    )


def _marks(shown: Search, rates: bool) -> list[Graph]:
    """Three traces per strategy (plain, best, diverged), against the learning rate or the share of trials."""
    data: list[Graph] = []
    for place, own in enumerate(shown.slots):
        total = own.result.size
        x = own.rate if rates else 100 * (np.arange(total) + 0.5) / max(total, 1)
        kept = np.zeros(total, dtype=bool)
        kept[sample(total, max(1, MOST_POINTS // len(shown.slots)))] = True
        groups = (kept & ~own.winner & ~own.diverged, own.winner & ~own.diverged, kept & own.diverged)
        for group, size, symbol, ring in zip(groups, (6, 9, 7), (None, None, "x"), (0, 2, 0), strict=True):
            marker = {
                "size": size,
                "symbol": symbol or MARK[own.strategy.family],
                "color": COLORS[place % len(COLORS)],
                "line": {"width": ring, "color": "#000000"},
            }
            # the plain ones represent the strategy in the legend, even if there are none
            named = _of(own.strategy, first=ring == 0 and symbol is None)
            data.append(named | {"mode": "markers", "marker": marker} | _xy(x[group], own.result[group]))
    return data


def _of(strategy: Strategy, first: bool) -> Graph:
    label = strategy.label
    return {"type": "scatter", "name": label, "legendgroup": label, "showlegend": first}


def _result_axis(shown: Search) -> Graph:
    return {"title": {"text": f"validation {METRICS[shown.metric].label} (optimistic)"}}


def _graph(summary: Summary, title: tuple[str, str], data: list[Graph], x: Graph, y: Graph) -> Graph:
    results = summary.results
    head, legend = title
    if len(results.lengths) > 1:
        legend += f"; at {words.percent(results.longest)} of the epochs"
    layout: Graph = {
        # on the left, since plotly's buttons are on the right
        "title": {"text": f"{head}<br><sup>{legend}</sup>", "font": {"size": 16}, "x": 0.02, "xanchor": "left"},
        "xaxis": {"zeroline": False, **x},
        "yaxis": {"zeroline": False, **y},
        "margin": {"t": 70, "r": 20},
    }
    if not any(trace["x"] for trace in data):
        paper = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        layout["annotations"] = [{"text": "no results yet", **paper}]
    return {"data": data, "layout": layout}


def _xy(x: ArrayLike, y: ArrayLike) -> Graph:
    return {"x": _numbers(x), "y": _numbers(y)}


def _numbers(values: ArrayLike | Iterable[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in np.asarray(values, dtype=np.float64)]
