"""Selection: validation at the last epoch, ties by loss, then slot; diverged runs at chance."""

from dataclasses import dataclass

import pytest

from decaybench.findings.selection import told, winners

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
        ("accuracy", [Ran(0, None, None, "diverged"), Ran(1, 0.05, 2.4)], 1),
        ("accuracy", [Ran(0, 0.99, 0.01, "diverged"), Ran(1, 0.11, 2.2)], 1),
        ("accuracy", [Ran(0, 0.9, 0.1, pruned="stopped"), Ran(1, 0.8, 0.5), Ran(2, 0.7, 0.2)], 1),
        ("accuracy", [Ran(0, 0.9, 0.1, pruned="spared"), Ran(1, 0.8, 0.5)], 0),
        ("loss", [Ran(0, 0.9, 0.5), Ran(1, 0.8, 0.4)], 1),
        ("loss", [Ran(0, 0.1, 9.0), Ran(1, 0.1, 8.0)], 1),
    ],
)
def test_winner(metric, runs, slot):
    assert winners(runs, metric, CHANCE)["a", 0, 1.0].slot == slot


def test_every_strategy_repeat_and_length_has_its_own_winner():
    runs = [
        Ran(i, 0.5 + 0.01 * i, 1.0, strategy=s, repeat=r, length=n)
        for i in range(3)
        for s in "ab"
        for r in (0, 1)
        for n in (0.5, 1.0)
    ]
    chosen = winners(runs, "accuracy", CHANCE)
    assert len(chosen) == 8
    assert {run.slot for run in chosen.values()} == {2}
