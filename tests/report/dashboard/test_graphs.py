import json

import numpy as np
import pytest

from decaybench.report.dashboard import graphs
from frames_factory import THREE, change, fifteen, make, summary_of

IDS = ["decaybench-decision", "decaybench-search", "decaybench-learning-rate", "decaybench-trials"]


def graphs_of(frames):
    return graphs.graphs(summary_of(frames))


def points(graph):
    return sum(len(trace["x"]) for trace in graph["data"])


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_every_graph_is_plain_json_with_what_the_figures_show(metric):
    frames = make(metric=metric, diverge=0.3, confirmed=False)
    shown = graphs_of(frames)
    assert list(shown) == IDS
    json.dumps(shown, allow_nan=False)
    search = frames.runs[frames.runs.phase == "search"]
    assert points(shown["decaybench-search"]) == points(shown["decaybench-trials"]) == len(search)
    crossed = [t for t in shown["decaybench-trials"]["data"] if t["marker"]["symbol"] == "x"]
    assert sum(len(trace["x"]) for trace in crossed) == (search.outcome == "diverged").sum() > 0
    legend = [t["name"] for t in shown["decaybench-search"]["data"] if t["showlegend"]]
    assert legend == list(THREE)
    for graph in shown.values():
        for trace in graph["data"]:
            assert len(trace["x"]) == len(trace["y"]) and trace["type"] == "scatter"


def test_the_decision_has_estimate_interval_and_state_the_first_on_top():
    summary = summary_of(make(diverge=0.0, confirmed=False))
    graph = graphs.graphs(summary)["decaybench-decision"]
    rows = summary.ranked()
    assert graph["layout"]["yaxis"]["ticktext"] == [f"{row.strategy.label} ({row.state})" for row in rows]
    fixed = next(trace for trace in graph["data"] if trace["name"] == "fixed")
    at = [y for y, row in enumerate(rows) if row.strategy.family == "fixed"]
    assert fixed["y"] == at
    found = [rows[y].estimates["accuracy"] for y in at]
    assert fixed["x"] == pytest.approx([100 * each.mean for each in found], rel=1e-3)
    assert fixed["error_x"]["array"] == pytest.approx([100 * (each.high - each.mean) for each in found], abs=1e-3)
    assert fixed["marker"]["symbol"] == ["circle" if rows[y].state == "good" else "circle-open" for y in at]
    assert sum(len(trace["x"]) for trace in graph["data"] if not trace.get("showlegend", True)) == 18


@pytest.mark.parametrize("name", ["adaptive", "never started", "one repeat", "zero rate"])
def test_a_sweep_without_results_gets_empty_graphs(name):
    frames = make(repeats=1 if name == "one repeat" else 5, confirmed=False)
    if name == "adaptive":
        frames.sweep["spec"]["search"] |= {"allocation": "adaptive", "sampler": "random"}
    if name == "never started":
        frames = frames._replace(runs=frames.runs.iloc[:0], epochs=frames.epochs.iloc[:0], traces={})
    if name == "zero rate":
        frames = frames._replace(traces={run: np.zeros_like(trace) for run, trace in frames.traces.items()})
    shown = graphs_of(frames)
    json.dumps(shown, allow_nan=False)
    empty = {key for key, graph in shown.items() if not points(graph)}
    assert empty == {"adaptive": {IDS[0]}, "never started": set(IDS)}.get(name, set())
    for key in empty:
        assert shown[key]["layout"]["annotations"][0]["text"] == "no results yet"
    if name == "zero rate":  # a logarithm that is none is a gap
        assert {y for trace in shown[IDS[2]]["data"] for y in trace["y"]} == {None}


def test_large_sweeps_keep_small_graphs_with_every_best_trial(monkeypatch):
    frames = make(fifteen(), trials=40, repeats=2, confirmed=False)
    monkeypatch.setattr(graphs, "MOST_POINTS", 500)
    shown = graphs_of(frames)
    assert max(len(json.dumps(graph)) for graph in shown.values()) < 100_000
    assert points(shown["decaybench-search"]) <= 500 + 15 * 2
    ringed = [t for t in shown["decaybench-search"]["data"] if t["marker"]["line"]["width"]]
    assert sum(len(trace["x"]) for trace in ringed) == 15 * 2


def test_lengths_are_named_and_the_longest_is_shown():
    shown = graphs_of(change(make(lengths=(0.5, 1.0), confirmed=False), lambda r: r.length < 1, test_accuracy=0.5))
    assert all("at 100% of the epochs" in graph["layout"]["title"]["text"] for graph in shown.values())
    assert 50.0 not in [y for trace in shown["decaybench-trials"]["data"] for y in trace["y"]]
