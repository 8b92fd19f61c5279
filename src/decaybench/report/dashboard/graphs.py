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

    from decaybench.report.figures.decision import Line
    from decaybench.report.figures.every_trial import Search

DECISION, SEARCH, TRACES, TRIALS = (
    f"decaybench-{name}" for name in ("decision", "search", "learning-rate", "trials")
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
        DECISION: _decision(summary),
        SEARCH: _search(summary),
        TRACES: _traces(summary),
        TRIALS: _trials(summary),
    }


def _decision(summary: Summary) -> Graph:
    from decaybench.report.figures import decision

    shown = decision.data(summary)
    lines = () if shown is None else shown.panels[0].lines
    data: list[Graph] = []
    for place, family in enumerate(MARK):
        own = [(y, line) for y, line in enumerate(lines) if line.strategy.family == family]
        known = [(y, line, line.estimate) for y, line in own if line.estimate is not None]
        if not known:
            continue
        marks: Graph = {"mode": "markers", "type": "scatter", "legendgroup": family}
        above = [(at.high if at.high is not None else at.mean) - at.mean for _, _, at in known]
        below = [at.mean - (at.low if at.low is not None else at.mean) for _, _, at in known]
        bars: Graph = {"type": "data", "symmetric": False, "array": _numbers(above), "arrayminus": _numbers(below)}
        symbols = [MARK[family] + ("" if line.state in ("good", None) else "-open") for _, line, _ in known]
        data.append(
            marks
            | _xy([at.mean for _, _, at in known], [y for y, _, _ in known])
            | {"name": family, "error_x": bars, "text": [line.remark.replace("\n", "<br>") for _, line, _ in known]}
            | {"hoverinfo": "text", "marker": {"size": 11, "symbol": symbols, "color": COLORS[place]}}
        )
        repeats = [(y, value) for y, line in own for value in line.by_repeat]
        data.append(
            marks
            | _xy([value for _, value in repeats], [y + 0.25 for y, _ in repeats])
            | {"name": family, "showlegend": False, "opacity": 0.5, "hoverinfo": "x"}
            | {"marker": {"size": 6, "symbol": MARK[family], "color": COLORS[place]}}
        )
    metric = METRICS[summary.results.metric]
    return _graph(
        summary,
        (
            "Which strategy to take",
            "expected test result, 95% interval; filled: good; small marks: each repeat's best trial",
        ),
        data,
        {"title": {"text": f"test {metric.label} {metric.hint}".rstrip()}},
        {
            "tickvals": list(range(len(lines))),
            "ticktext": [_ticked(line) for line in lines],
            "range": [len(lines) - 0.4, -0.6],
            "automargin": True,
        },
    )


def _ticked(line: Line) -> str:
    return line.strategy.label + ("" if line.state is None else f" ({line.state})")


def _search(summary: Summary) -> Graph:
    from decaybench.report.figures import search

    shown = search.data(summary)
    axis = {"title": {"text": "base learning rate"}, **LOG}
    title = ("Validation result by learning rate", "ringed: best of a repeat; x: diverged")
    result = {"title": {"text": f"validation {METRICS[shown.metric].label} (optimistic)"}}
    return _graph(summary, title, _marks(shown, rates=True), axis, result)


def _trials(summary: Summary) -> Graph:
    from decaybench.report.figures import trials

    shown = trials.data(summary)
    axis = {"title": {"text": "share of the trials, %, best first"}}
    title = ("All trials, test results, best validation first", "ringed: best of a repeat; x: diverged")
    result = {"title": {"text": f"test {METRICS[shown.metric].label}"}}
    return _graph(summary, title, _marks(shown, rates=False), axis, result)


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
    """Three traces per strategy (plain, best, diverged): validation by learning rate, or test by share of trials."""
    data: list[Graph] = []
    for place, own in enumerate(shown.strategies):
        total = own.diverged.size
        x = own.rate if rates else 100 * (np.arange(total) + 0.5) / max(total, 1)
        y = own.validation if rates else own.test
        kept = np.zeros(total, dtype=bool)
        kept[sample(total, max(1, MOST_POINTS // len(shown.strategies)))] = True
        groups = (kept & ~own.best & ~own.diverged, own.best & ~own.diverged, kept & own.diverged)
        for group, size, symbol, ring in zip(groups, (6, 9, 7), (None, None, "x"), (0, 2, 0), strict=True):
            marker = {
                "size": size,
                "symbol": symbol or MARK[own.strategy.family],
                "color": COLORS[place % len(COLORS)],
                "line": {"width": ring, "color": "#000000"},
            }
            # the plain ones represent the strategy in the legend, even if there are none
            named = _of(own.strategy, first=ring == 0 and symbol is None)
            data.append(named | {"mode": "markers", "marker": marker} | _xy(x[group], y[group]))
    return data


def _of(strategy: Strategy, first: bool) -> Graph:
    label = strategy.label
    return {"type": "scatter", "name": label, "legendgroup": label, "showlegend": first}


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
