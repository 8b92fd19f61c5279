import re
import sys
import warnings
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

import drawn_once
from decaybench.report.figures import (
    curves,
    draw_all,
    evenly,
    every_trial,
    learning_rate,
    look,
    sample,
    search,
    trials,
    with_data,
)
from decaybench.report.figures.optuna_searches import by_strategy
from frames_factory import THREE, change, fifteen, make, summary_of, unconfirm

ALWAYS = {"decision", "learning-rate", "curves", "search", "trials"}
ORDER = [
    *("decision", "bounds", "differences", "verdicts", "lengths", "tuning-cost", "retrained", "replay"),
    *("learning-rate", "loss-against-rate", "curves", "search", "divergence", "trials"),
]
BESIDE = {"differences", "verdicts", "tuning-cost", "retrained", "replay", "loss-against-rate", "divergence"}


def never_started(frames):
    return frames._replace(runs=frames.runs.iloc[:0], epochs=frames.epochs.iloc[:0], traces={})


def without_numbers(frames):
    """Epochs of NaN and traces of NaN and zero, as no store of ours would hold them."""
    bad = {run: np.where(np.arange(trace.size) % 2, np.nan, 0).astype("f4") for run, trace in frames.traces.items()}
    return frames._replace(epochs=frames.epochs.assign(train_loss=np.nan, validation_loss=np.nan), traces=bad)


SWEEPS = {
    "three": lambda: make(),
    "loss": lambda: make(metric="loss"),
    "lengths": lambda: make(lengths=(0.5, 1.0)),
    "one trial": lambda: make({"cosine": "cosine"}, trials=1, repeats=1, confirm_seeds=1, diverge=0.0),
    "one epoch": lambda: make(lengths=(0.125,), diverge=0.0),
    "all diverged": lambda: make(diverge=9.0),
    "not retrained": lambda: make(confirmed=False),
    "half retrained": lambda: unconfirm(make(), lambda r: r.strategy == "cosine"),
    "not started": lambda: never_started(make()),
    "no traces": lambda: make()._replace(traces={}),
    "no numbers": lambda: without_numbers(make()),
    "looks": lambda: make(repeats=9, lengths=(0.25, 1.0), rope=1e-4),
    "one seed": lambda: make(metric="loss", confirm_seeds=1, diverge=0.0),
    "fixed only": lambda: make({"constant": "constant", "cosine": "cosine"}),
    "one repeat": lambda: make(repeats=1, diverge=0.0),
    "equal results": lambda: change(make(diverge=0.0), lambda r: r.index > -1, test_accuracy=0.9),
    "no provenance": lambda: make(diverge=0.0)._replace(sweep={**make().sweep, "provenance": {}}),
}


DRAWN = {"loss", "lengths", "one trial", "all diverged", "not started", "no numbers", "looks", "equal results"}
"""Where an axis may lack numbers or its extent; other tests draw `make()` as it is."""
GETS = {
    "lengths": BESIDE | {"lengths"},
    "one trial": {"retrained"},
    "one epoch": BESIDE - {"divergence"},
    "not retrained": BESIDE - {"retrained", "replay"},
    "not started": set(),
    "no traces": BESIDE - {"loss-against-rate"},
    "no numbers": BESIDE - {"loss-against-rate"},
    "looks": BESIDE | {"lengths", "bounds"},
    "one seed": BESIDE - {"divergence", "replay"},
    "fixed only": BESIDE - {"loss-against-rate", "replay"},
    "one repeat": BESIDE - {"divergence", "verdicts", "tuning-cost"},
    "equal results": BESIDE - {"divergence"},
    "no provenance": BESIDE - {"divergence", "verdicts"},
}


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_gets_the_figures_that_it_has_data_for(name: str) -> None:
    summary = summary_of(SWEEPS[name]())
    expected = ALWAYS | GETS.get(name, BESIDE)
    if name == "all diverged":  # every result is chance, so nothing is compared
        expected = expected - {"decision", "differences", "verdicts"}
    assert [figure.NAME for figure, _ in with_data(summary)] == [name for name in ORDER if name in expected]


@pytest.mark.parametrize(
    "name", [name if name in DRAWN else pytest.param(name, marks=pytest.mark.soak) for name in SWEEPS]
)
def test_every_figure_is_complete_and_leaves_matplotlib_as_it_was(name: str) -> None:
    summary = summary_of(SWEEPS[name]())
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw_all(summary)
    assert dict(matplotlib.rcParams) == before
    assert [figure.name for figure in drawn] == [figure.NAME for figure, _ in with_data(summary)]
    for figure in drawn:
        root = ET.fromstring(figure.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert [child.tag.split("}")[1] for child in root][:2] == ["title", "desc"]
        assert root[1].text == figure.read
        assert "nan" not in figure.svg.lower() and "inf" not in re.sub("<desc.*?</desc>", "", figure.svg)


def test_figures_are_the_same_twice_whatever_the_users_settings_are(once) -> None:
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "none", "axes.facecolor": "red"}):
        assert tuple(draw_all(summary_of(make()))) == drawn_once.drawn(once)[0]


def test_ids_are_a_figures_own_and_every_reference_has_its_target(once) -> None:
    ids: set[str] = set()
    for figure in drawn_once.drawn(once)[0]:
        own = re.findall(r'\bid="([^"]*)"', figure.svg)
        assert len(own) == len(set(own)) and not ids & set(own)
        ids |= set(own)
        references = re.findall(r'href="([^"]*)"', figure.svg) + re.findall(r"url\(([^)]*)\)", figure.svg)
        assert references and all(r.startswith("#") and r[1:] in own for r in references)
        assert "<style" not in figure.svg and "<!--" not in figure.svg and "DOCTYPE" not in figure.svg


def test_fifteen_strategies_stay_readable_and_small() -> None:
    drawn = draw_all(summary_of(make(fifteen())))
    assert [figure.name for figure in drawn] == [name for name in ORDER if name not in ("bounds", "lengths")]
    assert sum(len(figure.svg) for figure in drawn) < 4_000_000


def test_a_sample_holds_every_strategy_of_trials_that_alternate() -> None:
    some = sample(8000, 2000)
    assert len(set(some)) == 2000 and (np.diff(some) > 0).all() and some.tolist() == sample(8000, 2000).tolist()
    assert np.bincount(some % 4) == pytest.approx([500] * 4, rel=0.2)
    assert sample(7, 2000).tolist() == list(range(7)) and sample(0, 5).size == 0


def test_evenly_keeps_both_ends() -> None:
    assert evenly(1000, 5) == [0, 250, 500, 749, 999]
    assert evenly(3, 5) == [0, 1, 2] and evenly(0, 5) == []


@pytest.mark.parametrize("figure", [search, trials])
def test_of_many_trials_a_sample_is_drawn_with_the_selected_and_it_is_said(figure, monkeypatch) -> None:
    monkeypatch.setattr(every_trial, "MOST_OWN", 6)
    with look.settings("test"):
        drawing = figure.draw(figure.data(summary_of(make(diverge=0.1))))
    for axes in drawing.axes:
        assert "drawn: 6 of 36 trials, and the best" in axes.texts[-1].get_text()
        marks = [line.get_xdata().size for line in axes.lines if line.get_zorder() in (3, 4)]
        assert sum(marks) <= 6 and [line.get_xdata().size for line in axes.lines if line.get_zorder() == 5] == [6]
    with look.settings("test"):
        small = figure.draw(figure.data(summary_of(make(trials=1, diverge=0.0))))
    assert not any(axes.texts for axes in small.axes)


def test_thin_keeps_ends_and_peaks() -> None:
    values = np.sin(np.arange(100_000) / 9000)
    values[54_321], values[777] = 9.0, -9.0
    at = learning_rate.thin(values, 300)
    assert len(at) <= 300 and at[0] == 0 and at[-1] == 99_999
    assert {54_321, 777} <= set(at.tolist()) and (np.diff(at) > 0).all()
    assert learning_rate.thin(values[:7], 300).tolist() == list(range(7))


@pytest.mark.parametrize("size", [299, 300, 301, 302, 599, 1000])
def test_thin_at_any_size(size: int) -> None:
    at = learning_rate.thin(np.random.default_rng(0).random(size), 300)
    assert len(at) <= 300 and at[0] == 0 and at[-1] == size - 1


def test_traces_of_equal_runs_are_one_line_and_the_diverged_end_early() -> None:
    frames = make({"constant": "constant", "exp_loss": "exp_loss"}, repeats=3, diverge=0.0)
    shown = learning_rate.data(summary_of(frames))
    assert len(shown.lines[0]) <= 3 and len(shown.lines[1]) == 3
    lost = learning_rate.data(summary_of(make(diverge=9.0)))
    assert all(line.diverged for lines in lost.lines for line in lines)


def test_many_runs_are_thinned_to_twelve_lines() -> None:
    frames = make({"exp_loss": "exp_loss"}, trials=2, repeats=15, diverge=0.0)
    assert len(learning_rate.data(summary_of(frames)).lines[0]) == learning_rate.MOST_RUNS


def test_curves_are_medians_over_the_best_trial_of_each_repeat() -> None:
    frames = make(diverge=0.0)
    got = {c.strategy.label: c for c in curves.data(summary_of(frames))}["cosine"]
    own = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == "cosine")]
    ids = own.loc[own.groupby("repeat").validation_accuracy.idxmax()].id
    epochs = frames.epochs[frames.epochs.run_id.isin(ids)].groupby("epoch").validation_loss
    assert got.validation == pytest.approx(epochs.median().to_numpy())
    assert got.low == pytest.approx(epochs.min().to_numpy()) and got.high == pytest.approx(epochs.max().to_numpy())
    assert got.runs == 6 and got.diverged == 0


def test_trials_that_ran_after_the_last_look_are_not_drawn() -> None:
    frames = make(diverge=0.0, repeats=8, to=9)
    looked = frames._replace(runs=frames.runs[frames.runs.repeat < 6])
    summary, expected = summary_of(frames), summary_of(looked)
    assert summary.decisive.taken == expected.decisive.taken == (6,)
    for own, only in zip(search.data(summary).strategies, search.data(expected).strategies, strict=True):
        assert own.test.size == 36 and (own.test == only.test).all()
    assert by_strategy(summary.results) == by_strategy(expected.results)


@pytest.mark.parametrize("figure", [search, trials])
def test_every_trial_is_drawn_the_diverged_ones_at_chance(figure) -> None:
    frames = make(diverge=0.4)
    shown = figure.data(summary_of(frames))
    for own in shown.strategies:
        runs = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == own.strategy.label)]
        for part, found in (("validation", own.validation), ("test", own.test)):
            expected = 100 * runs[f"{part}_accuracy"].where(runs.outcome == "finished", 0.1)
            assert sorted(found) == pytest.approx(sorted(expected))
        assert own.diverged.sum() == (runs.outcome == "diverged").sum() > 0
        assert own.best.sum() == 6
    assert shown.chance == pytest.approx(10)


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", -1), ("loss", 1)])
def test_the_best_validation_comes_first_and_test_results_stay_with_their_trials(metric: str, sign: int) -> None:
    frames = make(metric=metric)
    for own in trials.data(summary_of(frames)).strategies:
        assert (np.diff(sign * own.validation) >= 0).all()
        runs = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == own.strategy.label)]
        factor = 100 if metric == "accuracy" else 1
        pairs = {
            (round(v * factor, 9), round(t * factor, 9))
            for v, t in runs[[f"validation_{metric}", f"test_{metric}"]].dropna().to_numpy()
        }
        kept = ~own.diverged
        assert {(round(v, 9), round(t, 9)) for v, t in zip(own.validation[kept], own.test[kept], strict=True)} == pairs


def test_a_test_loss_that_was_too_large_to_be_kept_is_at_chance() -> None:
    frames = change(make(metric="loss", diverge=0.0), lambda r: (r.phase == "search") & (r.slot == 0), test_loss=None)
    for own in trials.data(summary_of(frames)).strategies:
        assert np.isclose(own.test, np.log(10)).sum() == 6


def test_panels_are_named_in_file_order() -> None:
    summary = summary_of(make())
    with look.settings("test"):
        figure = learning_rate.draw(learning_rate.data(summary))
    assert [axes.get_title(loc="left") for axes in figure.axes] == list(THREE)
    assert [axes.get_title(loc="right") for axes in figure.axes] == ["fixed", "fixed", "reactive"]


def test_the_longest_label_is_wrapped_not_cut() -> None:
    label = "x" * 64
    assert "".join(look.wrapped(label)) == label and max(map(len, look.wrapped(label))) == 28


@pytest.mark.parametrize("values", [[], [0.0], [1e-3], [1e-12, 10.0], [5.0, 5.0], [np.nan, -1.0]])
def test_log_limits_always_span_a_readable_range(values: list[float]) -> None:
    low, high = look.log_limits([values], (1e-3, 1.0))
    assert low > 0 and high / low * (1 + 1e-9) >= 7 and high / low < 1e9


def test_a_figure_s_file_bears_its_name() -> None:
    modules = [sys.modules[f"decaybench.report.figures.{name.replace('-', '_')}"] for name in ORDER]
    assert [module.NAME for module in modules] == ORDER
