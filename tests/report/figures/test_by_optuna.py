import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib
import matplotlib.pyplot as plt
import pytest

from decaybench.report.figures import by_optuna, look
from decaybench.report.figures.by_optuna import draw_optunas
from decaybench.report.figures.optuna_searches import by_strategy, together
from decaybench.search.views import Axis, Point, Search
from frames_factory import fifteen, make, summary_of
from frames_factory import searched as frames_searched


def searched(**options):
    return summary_of(frames_searched(**options))


def names(plots):
    return [figure.name for figure in (*plots.wide, *plots.narrow)]


def test_parameters_are_told_as_the_study_has_them():
    by = {search.label: search for search in by_strategy(searched().results)}
    assert by["constant"].names == ["learning_rate", "one_minus_momentum"]
    assert by["stairs"].names == ["learning_rate", "one_minus_momentum", "decay_rate"]
    assert by["cosine"].names == ["learning_rate", "one_minus_momentum", "floor", "floor.zero"]
    assert by["steps"].names == ["learning_rate", "one_minus_momentum", "gamma", "milestones.2", "milestones.count"]
    scales = {axis.name: (axis.log, axis.choice) for search in by.values() for axis in search.axes}
    assert scales["learning_rate"] == scales["one_minus_momentum"] == (True, False)
    assert scales["decay_rate"] == (False, False) and scales["gamma"] == (False, True)
    for point in by["cosine"].points:
        assert point.params["floor.zero"] == ("floor" not in point.params)


def test_together_is_slot_by_slot_with_what_strategies_share():
    results = searched().results
    whole = together(results, by_strategy(results))
    assert whole.names == ["strategy", "learning_rate", "one_minus_momentum"]
    assert [p.params["strategy"] for p in whole.points[:5]] == ["constant", "stairs", "cosine", "steps", "constant"]
    assert len(whole.points) == 4 * 6 * 6


def test_every_kind_of_plot_is_drawn_without_a_trace_in_pyplot():
    summary = searched(lengths=(0.5, 1.0))
    mine = plt.figure(num="mine")
    before, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = draw_optunas(summary)
    assert plt.get_fignums() == [mine.number] and plt.gcf() is mine
    assert dict(matplotlib.rcParams) == before and matplotlib.get_backend() == backend
    plt.close(mine)
    history, distribution, importances, parallel = drawn
    assert (names(history), names(distribution)) == (["optuna-history"], ["optuna-edf"])
    assert names(importances) == [f"optuna-importances-{i}" for i in (1, 2, 3, 4)]
    assert names(parallel) == ["optuna-parallel", *(f"optuna-parallel-{i}" for i in (1, 2, 3, 4))]
    assert not any(plots.missing for plots in drawn)
    for figure in (figure for plots in drawn for figure in (*plots.wide, *plots.narrow)):
        root = ET.fromstring(figure.svg)
        assert root[0].text == figure.title and root[1].text == figure.read
        assert "<image" not in figure.svg and "nan" not in re.sub("<desc.*?</desc>", "", figure.svg).lower()


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_what_cannot_be_drawn_is_said(metric, monkeypatch):
    monkeypatch.setattr(by_optuna.svg, "render", lambda *_: "")  # most of the time, for nothing that is asked here
    one = draw_optunas(summary_of(make({"cosine": "cosine"}, trials=1, repeats=1, metric=metric)))
    assert [names(plots) for plots in one] == [[], [], [], []]
    assert [plots.missing for plots in one[1:]] == [("cosine: 1 result so far",)] * 3
    alone = draw_optunas(summary_of(make(metric=metric)))
    assert alone[2].missing[0] == "constant: only learning_rate was searched" and len(alone[2].missing) == 3
    few = draw_optunas(searched(trials=1, metric=metric))
    assert "stairs: fewer than 10 results" in few[2].missing
    lost = draw_optunas(searched(diverge=9.0, metric=metric))
    assert "stairs: hardly any result differs from the others" in lost[2].missing
    never = make(metric=metric)
    never = draw_optunas(summary_of(never._replace(runs=never.runs.iloc[:0])))
    assert not any(names(plots) for plots in never) and all(plots.missing for plots in never)


def marks(figure, group, element):
    """How many elements the figure's group holds, up to the next group with a name."""
    return re.split(r'<g id="', figure.svg.split(f'<g id="{figure.name}-{group}"')[1])[0].count(element)


def test_of_many_slots_some_are_drawn_and_it_is_said(monkeypatch):
    monkeypatch.setattr(by_optuna, "MOST_DOTS", 30)
    monkeypatch.setattr(by_optuna, "MOST_LINES", 8)
    history, distribution, importances, parallel = draw_optunas(searched())
    assert "a random sample of 30 of the 144 trials" in history.read and "at most 8 trials" in parallel.read
    assert distribution.read == by_optuna.DISTRIBUTION and importances.read == by_optuna.IMPORTANCES
    assert marks(history.wide[0], "PathCollection_1", "<use") == 30
    for figure in (*parallel.wide, *parallel.narrow):
        assert marks(figure, "LineCollection_1", "<path") == 8


def test_few_slots_are_all_drawn():
    history, _, _, parallel = draw_optunas(searched())
    assert (history.read, parallel.read) == (by_optuna.HISTORY, by_optuna.PARALLEL)
    assert marks(history.wide[0], "PathCollection_1", "<use") == 144
    assert [marks(f, "LineCollection_1", "<path") for f in (*parallel.wide, *parallel.narrow)] == [144, 36, 36, 36, 36]


def test_the_best_and_the_worst_are_kept_and_axes_without_a_value_are_not(monkeypatch):
    monkeypatch.setattr(by_optuna, "MOST_LINES", 2)
    axes = [Axis("learning_rate", log=True), Axis("rare")]
    points = [Point({"learning_rate": 0.1 * (i + 1)} | ({"rare": 1.0} if i == 2 else {}), i % 5) for i in range(5)]
    thinned = by_optuna._thinned(Search("s", "maximize", axes, points))
    assert [point.value for point in thinned.points] == [0, 4] and thinned.names == ["learning_rate"]


def test_fifteen_strategies_stay_small():
    drawn = draw_optunas(summary_of(make(fifteen())))
    assert sum(len(f.svg) for plots in drawn for f in (*plots.wide, *plots.narrow)) < 1_000_000


def test_an_error_leaves_pyplot_as_it_was():
    ways = plt.new_figure_manager, plt.draw_if_interactive

    def fail() -> None:
        with look.pyplot_apart():
            plt.subplots()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (plt.new_figure_manager, plt.draw_if_interactive) == ways and plt.get_fignums() == []
