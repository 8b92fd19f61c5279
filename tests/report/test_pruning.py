"""What the report says of pruning, on tables whose answer is known."""

import math

import pytest

from decaybench.compare import wilson
from decaybench.findings.boundaries import boundaries
from decaybench.findings.pruning import pruning
from decaybench.report.figures import divergence, learning_rates, look, spread
from decaybench.report.searches import by_strategy
from decaybench.report.sections import pruning_table
from decaybench.report.words.pruning import pruning_sentence
from frames_factory import change, make, results_of, summary_of

# accuracy, pruned and outcome of a strategy's slots, one list a repeat
A = [
    [(0.9, None), (0.8, None), (0.99, "stopped"), (0.7, "spared")],
    [(0.5, None), (0.4, None), (0.6, "spared"), (0.3, "stopped")],
    [(0.5, None), (0.7, None), (0.5, "spared"), (None, "spared")],
]
B = [[(0.5, None), (0.4, None), (0.1, "stopped"), (0.2, "stopped")]] * 3


def sweep(slots, *, prune=None, **options):
    frames = make(dict.fromkeys(slots, "constant"), trials=4, repeats=3, confirmed=False, **options)
    if prune is not None:
        spec = dict(frames.sweep["spec"])
        frames = frames._replace(sweep=frames.sweep | {"spec": spec | {"search": spec["search"] | {"prune": prune}}})
    for label, repeats in slots.items():
        for repeat, values in enumerate(repeats):
            for slot, (accuracy, pruned) in enumerate(values):
                frames = change(
                    frames,
                    lambda r, at=(label, repeat, slot): (r.strategy == at[0]) & (r.repeat == at[1]) & (r.slot == at[2]),
                    outcome="diverged" if accuracy is None else "finished",
                    validation_accuracy=accuracy,
                    validation_loss=None if accuracy is None else 1 - accuracy,
                    pruned=pruned,
                )
    return summary_of(frames)


HALF = {"at": 0.5, "spare": 0.2}


@pytest.mark.parametrize("metric", ["accuracy", "loss"])
def test_who_was_stopped_and_how_often_that_was_wrong(metric):
    a, b = pruning(sweep({"a": A, "b": B}, prune=HALF, metric=metric).results)
    # a repeat's median is that of its slots trained to their ends: .8, .5 and .5
    assert a[:7] == ("a", 1.0, 12, 2, 4, 1, 2)
    assert a.rate == wilson(1, 4)
    assert b[:7] == ("b", 1.0, 12, 6, 0, 0, 0)
    assert math.isnan(b.rate.mean) and b.rate.low is None


def test_a_stopped_run_never_wins():
    results = sweep({"a": A}, prune=HALF).results
    assert [run.slot for run in results.winners("a", 1.0)] == [0, 2, 1]


def test_every_length_has_its_own_row():
    rows = pruning(sweep({"a": A, "b": B}, prune=HALF, lengths=(0.5, 1.0)).results)
    assert [(row.length, row.label) for row in rows] == [(0.5, "a"), (0.5, "b"), (1.0, "a"), (1.0, "b")]


def test_in_words():
    assert pruning_sentence(sweep({"a": A, "b": B}, prune=HALF).results) == (
        "Pruning stopped 8 of 24 slots half-way; of the 4 that were spared 1 would have won (25.0%, 4.6 to 69.9%)."
    )
    once = [[(0.9, None), (0.8, None), (0.2, "spared"), (0.1, "stopped")], *B[:2]]
    assert pruning_sentence(sweep({"a": once}, prune={"at": 0.3, "spare": 0.2}).results) == (
        "Pruning stopped 5 of 12 slots at 30% of their epochs; of the 1 that was spared 0 would have won"
        " (0.0%, 0.0 to 79.3%)."
    )
    assert pruning_sentence(sweep({"b": B}, prune={"at": 0.5, "spare": 0.0}).results) == (
        "Pruning stopped 6 of 12 slots half-way; none was spared, so how often that was wrong is not known."
    )


def test_nothing_is_said_where_it_was_not_asked_for():
    summary = sweep({"a": [[(0.9, None)] * 4] * 3})
    assert pruning(summary.results) == []
    assert pruning_sentence(summary.results) == ""


def test_the_table_has_every_strategys_numbers():
    table = pruning_table(sweep({"a": A, "b": B}, prune=HALF))
    assert [dict(zip(table.header, row, strict=True)) for row in table.rows] == [
        {
            "strategy": "a",
            "slots stopped": "2 of 12",
            "spared": "4",
            "of these would have won (share, 95% interval)": "1 (25.0%, 4.6 to 69.9%)",
            "of these no worse than the median": "2",
        },
        dict(zip(table.header, ("b", "6 of 12", "0", "-", "-"), strict=True)),
    ]
    assert pruning_table(sweep({"a": A})).rows == ()


def test_stopped_slots_enter_nothing_that_speaks_of_ends():
    summary = sweep({"a": A, "b": [[(0.5, None), (0.4, None), (0.1, "stopped"), (0.05, None)]] * 3}, prune=HALF)
    for figure in (spread, learning_rates):
        a, b = figure.data(summary).slots
        assert (a.result.size, a.stopped, b.result.size, b.stopped) == (10, 2, 9, 3)
        with look.settings("test"):
            panels = figure.draw(figure.data(summary)).axes
        assert "3 stopped, not drawn" in {text.get_text() for axes in panels for text in axes.texts}
    assert [row.slots.sum() for row in divergence.data(summary).rows] == [12, 12]  # none of them had diverged
    assert [row.slots_at_chance for row in summary.rows] == [0, 3]  # 0.1 is chance, but it was stopped
    assert [len(each.points) for each in by_strategy(summary.results)] == [10, 9]


def test_stopped_slots_make_no_trend_at_an_end():
    frames = make({"a": "constant"}, trials=6, repeats=1, confirmed=False, diverge=0.0)
    results = [0.9, 0.8, 0.7, 0.1, 0.1, 0.1]  # the best at the upper end; a fall on its way there
    for slot, result in enumerate(results):
        at = frames.runs.index[slot]
        frames.runs.at[at, "params"] = {"learning_rate": 0.99 - 0.1 * slot}
        frames.runs.at[at, "validation_accuracy"] = result
    assert [each.end for each in boundaries(results_of(frames))] == ["high"]
    stopped = change(frames, lambda r: r.slot.isin([1, 2, 3, 4]), pruned="stopped")
    assert boundaries(results_of(stopped)) == []  # two slots tell no trend
