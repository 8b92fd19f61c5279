"""Selection: validation at the last epoch, ties by loss, then repeat and slot; diverged runs at chance."""

from dataclasses import dataclass

import pytest

from decaybench.findings.selection import rank, told

CHANCE = {"accuracy": 0.11, "loss": 2.3}


@dataclass
class Ran:
    slot: int
    validation_accuracy: float | None
    validation_loss: float | None
    outcome: str = "finished"
    strategy: str = "a"
    repeat: int = 0
    length: float = 1.0
    pruned: str | None = None


@pytest.mark.parametrize(
    ("metric", "run", "value"),
    [
        ("accuracy", Ran(0, 0.9, 0.4), 0.9),
        ("accuracy", Ran(0, 0.05, 0.4), 0.05),
        ("accuracy", Ran(0, 0.9, 0.4, "diverged"), 0.11),
        ("accuracy", Ran(0, None, None, "diverged"), 0.11),
        ("loss", Ran(0, 0.9, 0.4), 0.4),
        ("loss", Ran(0, 0.9, 7.0), 2.3),
        ("loss", Ran(0, 0.9, 0.1, "diverged"), 2.3),
    ],
)
def test_told(metric, run, value):
    assert told(run, metric, CHANCE) == value


@pytest.mark.parametrize(
    ("metric", "runs", "slot"),
    [
        ("accuracy", [Ran(0, 0.8, 0.1), Ran(1, 0.9, 0.5)], 1),
        ("accuracy", [Ran(0, 0.9, 0.5), Ran(1, 0.9, 0.4)], 1),
        ("accuracy", [Ran(1, 0.9, 0.4), Ran(0, 0.9, 0.4)], 0),
        ("accuracy", [Ran(0, None, None, "diverged"), Ran(1, 0.12, 9.0)], 1),
        ("accuracy", [Ran(0, None, None, "diverged"), Ran(1, None, None, "diverged")], 0),
        ("accuracy", [Ran(0, 0.05, 0.1), Ran(1, None, None, "diverged")], 1),
        ("accuracy", [Ran(0, 0.99, 0.01, "diverged"), Ran(1, 0.11, 2.2)], 1),
        ("accuracy", [Ran(0, 0.11, 9.0), Ran(1, None, None, "diverged")], 0),
        ("accuracy", [Ran(1, 0.5, 2.4), Ran(0, 0.5, 9.0)], 0),
        ("accuracy", [Ran(1, 0.5, 0.7), Ran(0, 0.5 - 1e-14, 0.7)], 0),
        ("accuracy", [Ran(1, 0.9, 0.4), Ran(2, 0.9, 0.4, repeat=1), Ran(0, 0.9, 0.4, repeat=1)], 1),
        ("accuracy", [Ran(0, 0.9, 0.1, pruned="stopped"), Ran(1, 0.8, 0.5), Ran(2, 0.7, 0.2)], 1),
        ("accuracy", [Ran(0, 0.9, 0.1, pruned="spared"), Ran(1, 0.8, 0.5)], 0),
        ("loss", [Ran(0, 0.9, 0.5), Ran(1, 0.8, 0.4)], 1),
        ("loss", [Ran(1, 0.1, 8.0), Ran(0, 0.1, 9.0)], 0),
    ],
)
def test_the_best_has_the_lowest_rank(metric, runs, slot):
    ranks = {run.slot: place for run in runs if (place := rank(run, metric, CHANCE)) is not None}
    assert min(ranks, key=ranks.__getitem__) == slot


def test_what_has_not_ended_has_no_rank():
    for outcome in (None, "failed"):
        assert rank(Ran(0, 0.9, 0.1, outcome), "accuracy", CHANCE) is None
