"""A run that is stopped keeps its bits, and its neighbours never notice."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, train

CPU = torch.device("cpu")
RECIPE = Recipe("small-cnn", epochs=4, batch_size=32)  # 5 updates an epoch


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    return prepare(dataset, draw_splits(dataset, 0, train_size=160, signal=True))


def runs() -> list[Run]:
    """Three that share a lane for a while, one of another seed, one that dies at once, and one that reacts."""
    constant, late = SCHEDULES["constant"](), SCHEDULES["multi_step"](milestones=[12], gamma=0.1)
    reacts = SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0, threshold=0.5, signal="held_out")
    return [
        Run(1, constant, 0.05, 0.9, 0.0),
        Run(1, late, 0.05, 0.9, 0.0),
        Run(1, reacts, 0.05, 0.9, 0.0),
        Run(2, constant, 0.05, 0.9, 0.0),
        Run(3, constant, 1e30, 0.0, 0.0),
        Run(4, reacts, 0.1, 0.5, 1e-3, epochs=3),
    ]


class Stop:
    """Ends the named runs after the named epochs, and remembers what it was shown."""

    def __init__(self, *ends: tuple[int, int]) -> None:
        self.ends, self.seen = ends, []

    def __call__(self, curves):
        self.seen.append(curves)
        return np.array([(i, curves.epoch) in self.ends for i in range(len(runs()))])


@pytest.mark.parametrize("ends", [[(3, 2)], [(1, 2), (2, 2)], [(0, 1), (3, 2), (5, 1)], [(i, 2) for i in range(6)]])
def test_a_stopped_run_ends_like_a_shorter_one_and_the_others_keep_their_bits(digits, ends):
    full = train(RECIPE, runs(), digits, device=CPU, read_test=True)
    stop, written = Stop(*ends), []
    cut = train(RECIPE, runs(), digits, device=CPU, read_test=True, on_epoch=written.append, stop=stop)
    stopped = dict(ends)
    for i, (before, after) in enumerate(zip(full, cut, strict=True)):
        if i in stopped and before.outcome == "finished":
            curves = stop.seen[stopped[i] - 1]
            assert after.trace.tobytes() == before.trace[: 5 * stopped[i]].tobytes()
            assert (after.outcome, after.epochs_done) == ("finished", stopped[i])
            assert after.validation["loss"] == curves.validation["loss"][i]
            assert after.validation["accuracy"] == curves.validation["accuracy"][i]
            assert (after.test["loss"], after.test["accuracy"]) == (None, None)
            assert before.test["loss"] is not None and before.test["accuracy"] is not None
        else:
            assert after.trace.tobytes() == before.trace.tobytes()
            assert replace(after, trace=None, updates_computed=0) == replace(before, trace=None, updates_computed=0)
        assert sum(curves.alive[i] for curves in written) == after.epochs_done
    assert sum(result.updates_computed for result in cut) < sum(result.updates_computed for result in full)


def test_after_the_last_run_was_stopped_nothing_more_is_computed(digits):
    stop = Stop(*((i, 1) for i in range(6)))
    results = train(RECIPE, runs(), digits, device=CPU, stop=stop)
    assert len(stop.seen) == 1
    assert [result.epochs_done for result in results] == [1, 1, 1, 1, 0, 1]


def test_it_is_asked_once_an_epoch_with_what_is_written(digits):
    stop, written = Stop(), []
    train(RECIPE, runs(), digits, device=CPU, on_epoch=written.append, stop=stop)
    assert [curves.epoch for curves in stop.seen] == [1, 2, 3, 4]
    assert all(a is b for a, b in zip(stop.seen, written, strict=True))
