"""A model of one's own is trained as it is alone, or one line says why not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from decaybench import models
from decaybench.errors import UserError
from decaybench.runner.environment import prepare_environment
from decaybench.sweep import Sweep
from decaybench.training import Recipe, check_builder, check_model, train
from decaybench.training.layers import Architecture, Stack, flatten_parameters
from reference import plain_loop
from training.judged import CLASSES, CPU, SHAPE, assert_own_bits, generators, refused, runs
from training.own_models import ROWS, Own
from training.own_models.layers import Residual

pytestmark = pytest.mark.filterwarnings("ignore")  # a module's own


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_model_is_trained_as_alone_or_refused_in_one_line(row, own, few):
    own(row.build)
    before = generators()
    said = refused("fp64")
    assert generators() == before
    if row.says is not None:
        assert said is not None and said.startswith("task.model") and "\n" not in said
        assert any(part in said for part in row.says.split("|")), said
        return
    assert said is None
    recipe = Recipe("own", epochs=2, batch_size=10, precision="fp64")
    curves = []
    results = train(recipe, runs(0, 1, 2), few, device=CPU, read_test=True, on_epoch=curves.append)
    for i, run in enumerate(runs(0, 1, 2)):
        plain = plain_loop(recipe, run, few)
        tolerance = 1e-5 if row.name.startswith("in_single_precision") else 1e-10
        np.testing.assert_allclose([c.train_loss[i] for c in curves], plain.train_loss, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            [c.validation["loss"][i] for c in curves], plain.validation_loss, rtol=0, atol=tolerance
        )
        np.testing.assert_allclose(results[i].test["loss"], plain.test_loss, rtol=0, atol=tolerance)
    assert_own_bits(few)


@pytest.mark.parametrize(
    ("name", "precision", "says"),
    [
        ("in_single_precision_by_force", "fp32", None),
        ("in_single_precision_by_force", "bf16", "cannot be trained in bf16: RuntimeError: mat1 and mat2"),
        ("group_and_layer_norm", "bf16", None),
        ("a_complex_buffer", "fp32", None),
        ("a_complex_buffer", "bf16", "cannot be trained in bf16: RuntimeError: Unsupported dtype BFloat16"),
        ("a_state_that_is_no_buffer", "bf16", "changes the attribute state in training"),
    ],
)
def test_a_model_is_tried_in_the_sweeps_precision(name, precision, says, own):
    own(next(row.build for row in ROWS if row.name == name))
    said = refused(precision)
    assert said is None if says is None else says in said, said


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
@pytest.mark.parametrize(
    ("name", "shape", "dropout"), [("small-cnn", (3, 8, 8), 0), ("lenet", (1, 28, 28), 0.5), ("3c3d", (3, 9, 9), 0)]
)
def test_models_of_the_package_pass(name, shape, dropout, precision):
    template, *siblings = check_builder(lambda seed: models.build(name, shape, CLASSES, seed, dropout))
    check_model(template, shape, CLASSES, siblings=siblings, precision=precision)


def test_a_model_is_left_as_it_was():
    net = Own(lambda self, x: self.head(x.flatten(1) * self.gain), head=nn.Linear(64, 10), gain=torch.ones(64))
    net.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    check_model(net, SHAPE, CLASSES)
    assert not net.training and net.gain.dtype == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.head.weight.grad is None and isinstance(net.head.weight, nn.Parameter)


def test_the_table_is_of_60_models_and_more():
    assert len({row.name for row in ROWS}) == len(ROWS) > 60


@pytest.mark.parametrize(
    "name", ["of_functions", "attention", "tied_biases_in_a_module", "old_weight_norm", "in_place"]
)
def test_vectorised_it_has_the_numbers_of_one_run_after_the_other(name, own):
    own(next(row.build for row in ROWS if row.name == name))
    nets = [models.build("own", SHAPE, CLASSES, seed) for seed in range(3)]
    images = torch.randn(4, 3, *SHAPE, dtype=torch.float64)
    results = []
    for vectorised in (False, True):
        flat = flatten_parameters(nets, torch.float64).requires_grad_()
        stack = Stack(Architecture(nets[0], SHAPE), 3, torch.float64, vectorised=vectorised)
        logits = stack.forward(flat, images, training=True)
        logits.square().sum().backward()
        results.append((logits.detach(), flat.grad))
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("batch_size", "evaluated", "says"),
    [
        (20, False, "a batch of 20 than for one of 2 in training"),
        (8, False, None),
        ("full", False, "a batch of 100 than for one of 2 in training"),
        (8, True, "a batch of 50 than for one of 2 in evaluation"),
    ],
)
def test_a_model_is_tried_on_the_sweeps_own_batches(batch_size, evaluated, says, own, tmp_path, monkeypatch):
    def forward(self, x):
        far = len(x) > 8 and self.training is not evaluated
        return self.head((x - x.mean(0) if far else x).flatten(1))

    own(lambda shape, classes: Own(forward, head=nn.Linear(64, classes)))
    task = {"data": "digits", "model": "own", "epochs": 1, "batch_size": batch_size, "test_size": 50}
    task |= {"train_size": 100, "validation_size": 50}
    budget = {"trials": 1, "repeats": 1, "confirm_seeds": 1}
    sweep = Sweep.from_mapping({"name": "s", "task": task, "budget": budget, "strategies": {"constant": {}}}, "x")
    if says is None:
        prepare_environment(sweep, None, CPU)
        return
    with pytest.raises(UserError, match=f"task.model: Own makes other calls for {says}"):
        prepare_environment(sweep, None, CPU)


def test_a_diverging_neighbour_changes_no_bit(own, few):
    own(lambda shape, classes: Residual(shape[0], classes))
    recipe, tame = Recipe("own", epochs=2, batch_size=10), runs(0, 1, 2)
    wild = [tame[0], replace(tame[1], learning_rate=1e30), tame[2]]
    results, beside = (train(recipe, some, few, device=CPU) for some in (tame, wild))
    assert beside[1].outcome == "diverged"
    for i in (0, 2):
        assert beside[i].validation["loss"] == results[i].validation["loss"]


class Loud(nn.Linear):
    def forward(self, x):
        return 10 * super().forward(x)


class Deep(nn.Sequential):
    def forward(self, x):
        return 10 * super().forward(x)


@pytest.mark.parametrize(
    "make", [lambda: Deep(nn.Flatten(), nn.Linear(64, 10)), lambda: nn.Sequential(nn.Flatten(), Loud(64, 10))]
)
def test_a_forward_of_a_subclass_is_not_bypassed(make):
    model, images = make().double(), torch.randn(3, 2, 1, 8, 8, dtype=torch.float64)
    flat = flatten_parameters([model, model], torch.float64)
    logits = Stack(Architecture(model, SHAPE), 2, torch.float64).forward(flat, images)
    for i in range(2):
        torch.testing.assert_close(logits[i], model(images[:, i]))
