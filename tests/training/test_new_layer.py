"""A kind of layer takes one class: also one that keeps statistics, which travel with a run like its parameters."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function

from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, train
from decaybench.training.layers import LAYERS, Architecture, Layer, Layout
from reference import plain_loop
from training.judged import CPU, assert_own_bits, runs


class Centred(nn.Module):
    """Subtracts a running mean of what it has seen in training."""

    def __init__(self, features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))

    def forward(self, x):
        return centred_by(x, self.mean, self.training)


def centred_by(x, mean, training):
    """A function that a kind of layer can stand for: one that torch lets others take over."""
    if has_torch_function((x,)):
        return handle_torch_function(centred_by, (x,), x, mean, training)
    if training:
        mean.mul_(0.9).add_(0.1 * x.detach().mean(0))
    return x - mean.clone()


class Centring(Layer):
    functions = (centred_by,)
    takes = gives = Layout.ROWS
    mixes = True

    def __init__(self, mean, training):
        self._mean, self._training = mean, training

    @classmethod
    def of(cls, call, x, mean, training):
        return cls(mean, training)

    def __call__(self, inputs, given):
        (x,) = inputs
        mean = given.buffers[self._mean.place]
        if self._training:
            mean.mul_(0.9).add_(0.1 * x.detach().mean(1))
        return x - mean.clone().unsqueeze(1)


@pytest.fixture(autouse=True)
def centred(own, monkeypatch):
    monkeypatch.setitem(LAYERS, centred_by, Centring)
    own(net)


def net(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), Centred(32), nn.ReLU(), nn.Linear(32, classes))


def parting():
    """Two runs that begin as one, and others."""
    late = Run(0, SCHEDULES["multi_step"](milestones=[3], gamma=0.1), 0.02, 0.5, 0.0)
    return [*runs(0, 1), late, *runs(2)]


def test_a_model_of_known_layers_runs_wide():
    assert Architecture(net((1, 8, 8), 10), (1, 8, 8)).wide


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize(("chosen", "width"), [([0], None), ([0, 1, 2, 3], None), ([0, 1, 2, 3], 2)])
def test_its_statistics_are_those_of_a_run_alone(few, chosen, width, captured):
    recipe = Recipe("own", epochs=3, batch_size=10, precision="fp64")
    trained = [parting()[i] for i in chosen]
    results = train(recipe, trained, few, device=CPU, width=width, read_test=True, captured=captured)
    for run, result in zip(trained, results, strict=True):
        plain = plain_loop(recipe, run, few)
        np.testing.assert_allclose(result.validation["loss"], plain.validation_loss[-1], rtol=0, atol=1e-10)
        np.testing.assert_allclose(result.test["loss"], plain.test_loss, rtol=0, atol=1e-10)


def test_its_bits_depend_on_no_other_run(few):
    assert_own_bits(few)
    wild = [runs(0)[0], replace(runs(1)[0], learning_rate=1e30)]
    recipe = Recipe("own", epochs=2, batch_size=10)
    beside, (alone,) = (train(recipe, some, few, device=CPU) for some in (wild, wild[:1]))
    assert beside[1].outcome == "diverged"
    assert beside[0].validation["loss"] == alone.validation["loss"]
