"""Lanes go on with fewer runs."""

import gc
import weakref
from typing import ClassVar

import pytest
import torch
from torch import nn

from decaybench.training.lanes import Lanes, _architecture
from decaybench.training.recipe import Recipe
from training.judged import CPU, runs


class Counted(nn.Sequential):
    """A module of a user's own, with a call for which there is no layer; it knows its copies that are held."""

    held: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __new__(cls, *_):
        made = super().__new__(cls)
        cls.held.add(made)
        return made

    def forward(self, x):
        return super().forward(x.roll(1, -1))


@pytest.mark.parametrize(("width", "left", "held"), [(16, 2, 2), (16, 1, 2), (3, 5, 3 + 2)])
def test_only_the_copies_of_the_runs_that_go_on_are_held(own, few, width, left, held):
    _architecture.cache_clear()
    own(lambda shape, classes: Counted(nn.Flatten(), nn.Linear(64, classes)))
    lanes = Lanes(Recipe("own", epochs=1, batch_size=5), runs(*range(16)), few, CPU, width)
    for count in (16, 11, 7, left):
        lanes.take(list(range(count)))
        lanes.shuffle(0)
        lanes.gradient(lanes.order, 0)
        lanes.evaluate(few.validation)
    gc.collect()
    assert len(Counted.held) == held + 1  # and the template


def test_a_run_has_the_same_bits_after_others_have_left(own, few):
    own(lambda shape, classes: Counted(nn.Flatten(), nn.Linear(64, classes)))
    lanes = Lanes(Recipe("own", epochs=1, batch_size=5), runs(*range(6)), few, CPU, 6)
    lanes.shuffle(0)
    losses, gradients = lanes.gradient(lanes.order, 0)
    for index in ([4, 1, 0], [1, 2], [0]):
        rows = torch.tensor(index)
        lanes.take(index)
        losses, gradients = losses[rows], gradients[rows]
        again = lanes.gradient(lanes.order, 0)
        assert torch.equal(again[0], losses) and torch.equal(again[1], gradients)
