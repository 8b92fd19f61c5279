"""What pruning did, on tables whose answer is known."""

import math

import pytest

from decaybench.compare import wilson
from decaybench.findings.boundaries import boundaries
from decaybench.findings.pruning import pruning
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
    assert [run.slot for run in results.best("a", 1.0)] == [0, 2, 1]


def test_every_length_has_its_own_row():
    rows = pruning(sweep({"a": A, "b": B}, prune=HALF, lengths=(0.5, 1.0)).results)
    assert [(row.length, row.label) for row in rows] == [(0.5, "a"), (0.5, "b"), (1.0, "a"), (1.0, "b")]


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
