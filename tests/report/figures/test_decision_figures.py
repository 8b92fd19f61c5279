"""The figures that a decision is read from: differences, verdicts, lengths, tuning cost, divergence, reacting."""

from dataclasses import replace

import numpy as np
import pytest

from decaybench.findings.summary import Summary
from decaybench.report.figures import (
    differences,
    divergence,
    lengths,
    look,
    loss_against_rate,
    replay,
    tuning_cost,
    verdicts,
)
from decaybench.report.words.verdicts import SAID
from frames_factory import confirm_scores, make, summary_of


def judged(summary: Summary, verdict: str = "no difference shown") -> Summary:
    return replace(summary, pairs=tuple(replace(pair, verdict=verdict) for pair in summary.pairs))


def drawing_of(figure, summary: Summary):
    with look.settings("test"):
        return figure.draw(figure.data(summary))


@pytest.mark.parametrize("figure", [differences, verdicts, lengths, tuning_cost])
def test_where_strategies_shared_their_slots_nothing_compares_them(figure) -> None:
    frames = make(lengths=(0.5, 1.0), diverge=0.0)
    assert figure.data(judged(summary_of(frames))) is not None
    frames.sweep["spec"]["search"] |= {"allocation": "adaptive", "sampler": "random"}
    assert figure.data(judged(summary_of(frames), "no verdict")) is None


def test_the_matrix_reads_row_against_column_in_rank_order() -> None:
    summary = judged(summary_of(make(skill={"cosine": 0.02, "constant": -0.3}, diverge=0.0)))
    assert verdicts.data(judged(summary, "no verdict")) is None
    matrix = verdicts.data(summary)
    assert matrix is not None
    assert [s.label for s in matrix.strategies] == ["cosine", "exp_loss", "constant"]
    for y, row in enumerate(matrix.pairs):
        for x, pair in enumerate(row):
            assert (pair is None) == (x == y)
            if pair is not None:
                assert (pair.a, pair.b) == (matrix.strategies[y].label, matrix.strategies[x].label)
                assert pair.difference is not None and (pair.difference.mean > 0) == (y < x)
    (axes,) = drawing_of(verdicts, summary).axes
    assert [text.get_text()[:3] for text in axes.texts] == ["? +", "? +", "? -", "? +", "? -", "? -"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1 cosine", "2 exp_loss", "3 constant"]


def test_a_large_matrix_has_signs_alone_and_numbered_columns() -> None:
    many = {f"strategy-{place}": "cosine" for place in range(24)}
    figure = drawing_of(verdicts, judged(summary_of(make(many, trials=1, confirm_seeds=1)), "better"))
    (axes,) = figure.axes
    assert {text.get_text() for text in axes.texts} == {SAID[verdict].sign for verdict in ("better", "worse")}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(place) for place in range(1, 25)]


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("loss", -1)])
def test_differences_are_to_the_best_control_and_positive_where_better(metric: str, sign: int) -> None:
    kinds = {"slow": "constant", "cosine": "cosine", "control": "constant"}
    summary = summary_of(make(kinds, skill={"slow": -0.3, "cosine": -0.1}, metric=metric, diverge=0.0))
    shown = differences.data(summary)
    assert shown is not None and shown.rope == pytest.approx(2 / 300 if metric == "accuracy" else 0.01)
    (panel,) = shown.panels
    assert panel.title == "Minus control, the control"
    assert [line.strategy.label for line in panel.lines] == ["cosine", "slow"]
    rows = {row.strategy.label: row for row in summary.rows}
    factor = 100 if metric == "accuracy" else 1
    for line in panel.lines:
        expected = sign * factor * (rows[line.strategy.label].by_repeat - rows["control"].by_repeat)
        assert line.by_repeat == pytest.approx(expected) and (expected < 0).all()
        assert line.interval is not None and line.interval.mean == pytest.approx(expected.mean())


def test_without_a_control_the_first_is_what_others_are_compared_with() -> None:
    summary = summary_of(make({"cosine": "cosine", "linear": "linear"}, skill={"linear": -0.1}, diverge=0.0))
    shown = differences.data(summary)
    assert shown is not None and [panel.title for panel in shown.panels] == ["Minus cosine, which came first"]


def test_a_lost_repeat_stands_at_the_edge_and_does_not_flatten_the_rest() -> None:
    frames = confirm_scores(
        make(diverge=0.0),
        {"constant": [0.95] * 5, "cosine": [0.96, 0.97, 0.95, 0.96, 0.96], "exp_loss": [0.96, 0.95, 0.95, 0.96, 0.1]},
    )
    (axes,) = drawing_of(differences, summary_of(frames)).axes
    low, _ = axes.get_xlim()
    assert -85 < low < -16.8  # the mean is in sight, the repeat is not
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    assert [line.get_xdata()[0] for line in arrows] == [low]


def test_divergence_counts_every_slot_and_says_the_overall_rate() -> None:
    frames = make(diverge=0.4, trials=12)
    shown = divergence.data(summary_of(frames))
    assert shown is not None and divergence.data(summary_of(make(diverge=0.0))) is None
    figure = drawing_of(divergence, summary_of(frames))
    for row in shown.rows:
        runs = frames.runs[(frames.runs.phase == "search") & (frames.runs.strategy == row.strategy.label)]
        lost = int((runs.outcome == "diverged").sum())
        assert (row.slots.sum(), row.lost.sum()) == (60, lost) and row.overall.mean == pytest.approx(lost / 60)
        assert any(text.get_text().startswith(f"{lost} of 60 diverged (") for text in figure.axes[0].texts)


def test_a_path_is_the_epochs_loss_and_the_rate_at_its_end() -> None:
    frames = make(diverge=0.0, confirm_seeds=1)
    summary = summary_of(frames)
    shown = loss_against_rate.data(summary)
    assert shown is not None and [s.label for s in shown.strategies] == ["exp_loss"]
    runs = summary.results.shown("exp_loss")
    assert len(shown.paths[0]) == len(runs) == 5
    for run, path in zip(runs, shown.paths[0], strict=True):
        assert path.loss == pytest.approx(summary.results.curves[run.id].train_loss)
        assert path.rate.tolist() == frames.traces[run.id][18::19].tolist()


def test_a_diverged_path_ends_with_its_last_whole_epoch() -> None:
    shown = loss_against_rate.data(summary_of(make(diverge=9.0, confirm_seeds=4)))
    assert shown is not None
    assert {path.loss.size for path in shown.paths[0]} <= {1, 2} and all(path.diverged for path in shown.paths[0])


def test_lengths_hold_every_confirmed_mean_the_shortest_first() -> None:
    summary = summary_of(make(lengths=(1.0, 0.5), diverge=0.0))
    shown = lengths.data(summary)
    assert shown is not None and shown.lengths == (0.5, 1.0)
    for line in shown.lines:
        rows = [row for n in (0.5, 1.0) for row in summary.at(n) if row.strategy == line.strategy]
        assert [i and i.mean for i in line.intervals] == pytest.approx([100 * row.by_repeat.mean() for row in rows])


def test_replay_shows_the_verdict_beside_the_difference() -> None:
    shown = replay.data(summary_of(make(replayed=True, diverge=0.0)))
    assert shown is not None
    ((line,),) = (panel.lines for panel in shown.panels)
    assert line.strategy.label == "exp_loss" and line.by_repeat.size == 5
    assert line.remark == "0.0 (-0.6 to +0.6)\nequivalent"


def test_tuning_cost_has_a_line_for_what_searches_nothing() -> None:
    frames = make(trials=8, diverge=0.0)
    frames.sweep["spec"]["strategies"]["constant"]["learning_rate"] = 0.1
    runs = frames.runs
    frames = frames._replace(runs=runs[(runs.strategy != "constant") | (runs.slot == 0)].reset_index(drop=True))
    shown = tuning_cost.data(summary_of(frames))
    assert shown is not None and [cost.searched for cost in shown.costs] == [False, True, True]
    flat = shown.costs[0]
    assert flat.n[-1] == 8 and len(set(flat.mean)) == 1


def test_names_at_the_ends_keep_apart_and_in_order() -> None:
    wanted, space = np.array([0.9, 0.1, 0.11, 0.9, 1.0]), np.full(5, 0.1)
    places = tuning_cost.apart(wanted, space)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= 0.1 - 1e-12).all() and places.min() >= 0.05 and places.max() <= 0.95 + 1e-12
    assert tuning_cost.apart(np.array([0.5]), np.array([0.1])).tolist() == [0.5]
