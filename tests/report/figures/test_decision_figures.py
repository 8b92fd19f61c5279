"""The figures that a decision is read from: where strategies stand, looks, pairs, lengths, tuning cost, retraining."""

import numpy as np
import pytest

from decaybench.findings import tuning
from decaybench.findings.replays import replays
from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS
from decaybench.report.figures import (
    bounds,
    decision,
    differences,
    divergence,
    lengths,
    look,
    loss_against_rate,
    replay,
    retrained,
    tuning_cost,
    verdicts,
)
from decaybench.report.figures.verdicts import Matrix
from decaybench.report.words.verdicts import SAID
from frames_factory import change, make, summary_of


def drawing_of(figure, summary: Summary):
    with look.settings("test"):
        return figure.draw(figure.data(summary))


def parked():
    """A sweep that is not settled at its second look; constant is ruled out at the first, and waits there."""
    frames = make(repeats=9, to=12, skill={"constant": -0.2}, rope=1e-4, diverge=0.0, confirmed=False)
    late = (frames.runs.strategy == "constant") & (frames.runs.repeat >= 6)
    return summary_of(frames._replace(runs=frames.runs[~late].reset_index(drop=True)))


@pytest.mark.parametrize("figure", [decision, differences, verdicts, lengths, tuning_cost])
def test_where_strategies_shared_their_trials_nothing_compares_them(figure) -> None:
    frames = make(lengths=(0.5, 1.0), diverge=0.0, confirmed=False)
    assert figure.data(summary_of(frames)) is not None
    frames.sweep["spec"]["search"] |= {"allocation": "adaptive", "sampler": "random"}
    assert figure.data(summary_of(frames)) is None


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("loss", -1)])
def test_a_bound_is_drawn_as_far_from_the_best_estimate_on_its_worse_side(metric: str, sign: int) -> None:
    summary = summary_of(make(metric=metric, diverge=0.0))
    shown = decision.data(summary)
    assert shown is not None
    (panel,), factor = shown.panels, METRICS[metric].factor
    rows = summary.ranked()
    assert [line.strategy for line in panel.lines] == [row.strategy for row in rows]
    assert panel.best == pytest.approx(sign * factor * max(sign * row.estimates[metric].mean for row in rows))
    assert panel.margin == pytest.approx(factor * summary.decisive.margin)
    (axes,) = drawing_of(decision, summary).axes
    ticks = [line for line in axes.lines if line.get_marker() == "|"]
    assert [tick.get_ydata()[0] for tick in ticks] == [0, 1, 2]
    expected = [panel.best - sign * factor * row.bound for row in rows]
    assert [tick.get_xdata()[0] for tick in ticks] == pytest.approx(expected)


def test_the_state_is_a_mark_and_a_word() -> None:
    summary = parked()
    shown = decision.data(summary)
    assert shown is not None
    states = [line.state for line in shown.panels[0].lines]
    assert states == ["open", "open", "ruled out"]
    figure = drawing_of(decision, summary)
    (axes,) = figure.axes
    hollow = [line.get_ydata()[0] for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert hollow == [0, 1]
    assert [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "<" and line.get_markersize() == 7] == [
        2
    ]
    remarks = [text.get_text() for text in axes.texts]
    assert [remark.splitlines()[1].partition(",")[0] for remark in remarks] == states
    assert "waits at 6 repeats" in remarks[2] and "waits" not in remarks[0]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["open", "ruled out", "bound", "each repeat's best trial"]


def test_a_single_strategy_has_no_bound_and_a_retrained_one_its_mark() -> None:
    summary = summary_of(make({"cosine": "cosine"}, diverge=0.0))
    shown = decision.data(summary)
    assert shown is not None
    (line,) = shown.panels[0].lines
    assert line.bound is None and shown.panels[0].best is None
    assert line.retrained == pytest.approx(100 * summary.at()[0].retrained.mean)
    (axes,) = drawing_of(decision, summary).axes
    assert [mark.get_xdata()[0] for mark in axes.lines if mark.get_marker() == "v"] == [line.retrained]


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_the_axis_ends_where_results_can_be(metric: str) -> None:
    low, high = drawing_of(decision, summary_of(make(repeats=2, metric=metric, diverge=0.5))).axes[0].get_xlim()
    assert low >= -3 and high <= (103 if metric == "accuracy" else 3 * 2.4)


def test_bounds_are_those_of_the_looks_and_end_where_a_strategy_waits() -> None:
    summary = parked()
    shown = bounds.data(summary)
    assert shown is not None and bounds.data(summary_of(make(confirmed=False))) is None
    assert [line.repeats.tolist() for line in shown.lines] == [[6], [6, 9], [6, 9]]
    assert [line.parked for line in shown.lines] == [True, False, False]
    first = summary.results.looks[0][0].strategies
    assert [line.bounds[0] / 100 for line in shown.lines] == pytest.approx([own["bound"] for own in first.values()])
    for row, line in zip(summary.at(), shown.lines, strict=True):
        assert line.bounds[-1] == pytest.approx(100 * row.bound) and (np.diff(line.bounds) <= 0).all()
    panels = drawing_of(bounds, summary).axes
    assert [axes.texts[0].get_text() for axes in panels] == ["ruled out, waits", "open", "open"]


def test_the_matrix_reads_row_against_column_in_the_order_of_the_tables() -> None:
    summary = summary_of(make(skill={"cosine": 0.02, "constant": -0.3}, diverge=0.0, confirmed=False))
    assert verdicts.data(summary_of(make(trials=2, confirmed=False))) is None
    matrix = verdicts.data(summary)
    assert matrix is not None
    assert [s.label for s in matrix.strategies] == ["cosine", "exp_loss", "constant"]
    for y, row in enumerate(matrix.pairs):
        for x, pair in enumerate(row):
            assert (pair is None) == (x == y)
            if pair is not None:
                assert (pair.a, pair.b) == (matrix.strategies[y].label, matrix.strategies[x].label)
                assert pair.difference is not None and (pair.difference > 0) == (y < x)
    assert (matrix.pairs[0][2].verdict, matrix.pairs[2][0].verdict) == ("better", "worse")
    (axes,) = drawing_of(verdicts, summary).axes
    expected = [f"{SAID[p.verdict].sign} {100 * p.difference:+.1f}" for row in matrix.pairs for p in row if p]
    assert [text.get_text() for text in axes.texts] == expected
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1 cosine", "2 exp_loss", "3 constant"]


def test_a_pair_that_is_not_tested_has_an_empty_cell() -> None:
    frames = make(diverge=0.0, confirmed=False)
    frames.sweep["spec"]["decide"]["control"] = True
    matrix = verdicts.data(summary_of(frames))
    assert matrix is not None
    tested = {(p.a, p.b) for row in matrix.pairs for p in row if p}
    assert tested == {(a, b) for a in ("constant",) for b in ("cosine", "exp_loss")} | {
        (b, "constant") for b in ("cosine", "exp_loss")
    }


def test_a_large_matrix_has_signs_alone_and_numbered_columns() -> None:
    summary = summary_of(make(skill={"constant": -0.3}, diverge=0.0, confirmed=False))
    one, other = (row.strategy for row in (summary.ranked()[0], summary.ranked()[2]))
    ahead, behind = (summary.pair(a.label, b.label, 1.0) for a, b in ((one, other), (other, one)))
    pairs = tuple(tuple(None if x == y else ahead if x > y else behind for x in range(24)) for y in range(24))
    with look.settings("test"):
        (axes,) = verdicts.draw(Matrix("accuracy", (one,) * 24, pairs)).axes
    assert {text.get_text() for text in axes.texts} == {SAID[verdict].sign for verdict in ("better", "worse")}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(place) for place in range(1, 25)]


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("loss", -1)])
def test_differences_are_to_the_pick_and_positive_where_better(metric: str, sign: int) -> None:
    kinds = {"slow": "constant", "cosine": "cosine", "best": "linear"}
    skill = {"slow": -0.3, "cosine": -0.1}
    summary = summary_of(make(kinds, skill=skill, metric=metric, diverge=0.0, confirmed=False))
    shown = differences.data(summary)
    assert shown is not None
    (panel,), factor = shown.panels, METRICS[metric].factor
    assert panel.title == "Difference from best (the pick)" and panel.margin == pytest.approx(
        factor * summary.decisive.margin
    )
    assert [line.strategy.label for line in panel.lines] == ["cosine", "slow"]
    mean = {row.strategy.label: row.estimates[metric].mean for row in summary.rows}
    for line in panel.lines:
        assert line.interval is not None and line.remark.endswith("\nworse")
        assert line.interval.mean == pytest.approx(sign * factor * (mean[line.strategy.label] - mean["best"]))
        assert line.interval.low < line.interval.mean < line.interval.high < 0


def test_what_others_are_compared_with_is_named() -> None:
    def titles(frames) -> list[str]:
        shown = differences.data(summary_of(frames))
        return [panel.title for panel in shown.panels] if shown else []

    skill = {"cosine": 0.01}
    few = make(trials=2, skill=skill, diverge=0.0, confirmed=False)
    assert titles(few) == ["Difference from cosine (the best estimate)"]
    open_ = make(rope=1e-4, diverge=0.0, confirmed=False)
    leader = summary_of(open_).leader()
    assert titles(open_) == [f"Difference from {leader.strategy.label} (the leader)"]
    control = make(skill=skill, diverge=0.0, confirmed=False)
    control.sweep["spec"]["decide"]["control"] = True
    assert titles(control) == ["Difference from constant (the control)"]


def test_a_hopeless_strategy_stands_at_the_edge_and_does_not_flatten_the_rest() -> None:
    (axes,) = drawing_of(differences, parked()).axes
    low, _ = axes.get_xlim()
    assert -10 < low < 0
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    assert [line.get_xdata()[0] for line in arrows] == [low]


def test_divergence_counts_every_trial_and_says_the_overall_rate() -> None:
    frames = make(diverge=0.4, confirmed=False)
    shown = divergence.data(summary_of(frames))
    assert shown is not None and divergence.data(summary_of(make(diverge=0.0, confirmed=False))) is None
    figure = drawing_of(divergence, summary_of(frames))
    for row in shown.rows:
        runs = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == row.strategy.label)]
        lost = int((runs.outcome == "diverged").sum())
        assert (row.tried.sum(), row.lost.sum()) == (36, lost) and row.overall.mean == pytest.approx(lost / 36)
        assert any(text.get_text().startswith(f"{lost} of 36 diverged (") for text in figure.axes[0].texts)


def test_a_path_is_the_epochs_loss_and_the_rate_at_its_end() -> None:
    frames = make(diverge=0.0, confirmed=False)
    summary = summary_of(frames)
    shown = loss_against_rate.data(summary)
    assert shown is not None and [s.label for s in shown.strategies] == ["exp_loss"]
    runs = summary.results.best("exp_loss", 1.0)
    assert len(shown.paths[0]) == len(runs) == 6
    for run, path in zip(runs, shown.paths[0], strict=True):
        assert path.loss == pytest.approx(summary.results.curves[run.id].train_loss)
        assert path.rate.tolist() == frames.traces[run.id][18::19].tolist()


def test_a_diverged_path_ends_with_its_last_whole_epoch() -> None:
    shown = loss_against_rate.data(summary_of(make(diverge=9.0, confirmed=False)))
    assert shown is not None
    assert {path.loss.size for path in shown.paths[0]} <= {1, 2} and all(path.diverged for path in shown.paths[0])


def test_lengths_hold_every_estimate_the_shortest_first() -> None:
    summary = summary_of(make(lengths=(1.0, 0.5), diverge=0.0, confirmed=False))
    shown = lengths.data(summary)
    assert shown is not None and shown.lengths == (0.5, 1.0)
    for line in shown.lines:
        rows = [row for n in (0.5, 1.0) for row in summary.at(n) if row.strategy == line.strategy]
        expected = [100 * row.estimates["accuracy"].mean for row in rows]
        assert [i and i.mean for i in line.intervals] == pytest.approx(expected)


@pytest.mark.parametrize("seeds", [2, 8])
def test_replay_shows_every_seed_and_an_interval_from_eight_on(seeds: int) -> None:
    summary = summary_of(make({"constant": "constant", "exp_loss": "exp_loss"}, confirm_seeds=seeds, diverge=0.0))
    shown, found = replay.data(summary), replays(summary.results)
    assert shown is not None and found is not None
    ((line,),) = (panel.lines for panel in shown.panels)
    assert line.strategy.label == "exp_loss" and line.values == pytest.approx(100 * found.differences)
    assert line.interval is not None and line.interval.mean == pytest.approx(line.values.mean())
    assert line.remark.endswith(f"\n{seeds} of {seeds} seeds")
    assert (line.interval.low is not None) == (" to " in line.remark) == (seeds == 8)


def test_retraining_shows_the_further_runs_beside_the_estimate() -> None:
    frames = make(diverge=0.0)
    summary = summary_of(frames)
    shown = retrained.data(summary)
    assert shown is not None
    rows = [row for row in summary.ranked() if row.retrained]
    assert [line.strategy for line in shown.lines] == [row.strategy for row in rows]
    for row, line in zip(rows, shown.lines, strict=True):
        ids = [run.id for run in row.retrained.further]
        assert sorted(line.values) == pytest.approx(sorted(100 * frames.runs[frames.runs.id.isin(ids)].test_accuracy))
        assert line.values.size == 2 and line.reference == pytest.approx(100 * row.estimates["accuracy"].mean)
        assert line.remark.endswith("0 of 6 choosing runs failed")
    seed = summary.results.sweep.confirm_seeds(further=False)[0]
    lost = retrained.data(summary_of(change(frames, lambda r: r.seed == seed, outcome="diverged")))
    assert lost is not None and all(line.remark.endswith("3 of 6 choosing runs failed") for line in lost.lines)


def test_tuning_cost_is_what_is_lost_on_test_with_a_band() -> None:
    summary = summary_of(make(diverge=0.0, confirmed=False))
    shown = tuning_cost.data(summary)
    assert shown is not None and tuning_cost.data(summary_of(make(repeats=5, confirmed=False))) is None
    for cost, found in zip(shown.costs, tuning.costs(summary), strict=True):
        assert cost.n[-1] == 9  # a quarter of 36 trials
        assert cost.mean == pytest.approx(100 - 100 * found.mean)
        assert (cost.low <= cost.mean).all() and (cost.mean <= cost.high).all() and (cost.low < cost.high).all()


def test_names_at_the_ends_keep_apart_and_in_order() -> None:
    wanted, space = np.array([0.9, 0.1, 0.11, 0.9, 1.0]), np.full(5, 0.1)
    places = tuning_cost.apart(wanted, space)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= 0.1 - 1e-12).all() and places.min() >= 0.05 and places.max() <= 0.95 + 1e-12
    assert tuning_cost.apart(np.array([0.5]), np.array([0.1])).tolist() == [0.5]
