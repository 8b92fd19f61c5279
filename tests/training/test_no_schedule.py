"""The optimizers that promise to need no schedule, in a training."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import vector_to_parameters

from decaybench import models
from decaybench.data import draw_splits, load_dataset, normalise, prepare
from decaybench.optimizers import OPTIMIZERS
from decaybench.schedules import SCHEDULES
from decaybench.training import OptimizerForm, Recipe, Run, loop, train
from decaybench.training.lanes import Lanes

CPU = torch.device("cpu")
KINDS = pytest.mark.parametrize("kind", [name for name, cls in OPTIMIZERS.items() if not cls.needs_schedule])


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    return prepare(dataset, draw_splits(dataset, 0, train_size=160, validation_size=100, test_size=100))


def three_runs(kind):
    constant, cosine = SCHEDULES["constant"](), SCHEDULES["cosine"](floor=0.0, warmup=5)
    rate = {"schedule-free": 0.2, "prodigy": 1.0}[kind]
    return [Run(1, constant, rate, 0.9, 0.0), Run(2, constant, rate, 0.8, 1e-3), Run(3, cosine, rate, 0.95, 1e-4)]


@KINDS
def test_a_run_in_a_stack_has_the_bits_it_has_alone(digits, kind):
    recipe, runs = Recipe("small-cnn", epochs=4, batch_size=32, form=OptimizerForm(kind)), three_runs(kind)
    together = train(recipe, runs, digits, device=CPU, read_test=True)
    wild = replace(runs[0], schedule=SCHEDULES["exp_loss"](gain=1000.0, max_scale=1e35))
    beside = train(recipe, [wild, *runs], digits, device=CPU, read_test=True)
    assert beside[0].outcome == "diverged"
    for i, run in enumerate(runs):
        alone = train(recipe, [run], digits, device=CPU, read_test=True)[0]
        assert alone.outcome == "finished"
        for other in (together[i], beside[i + 1]):
            assert other.trace.tobytes() == alone.trace.tobytes()
            assert replace(other, trace=None, updates_computed=0) == replace(alone, trace=None, updates_computed=0)


@KINDS
def test_what_is_reported_is_measured_at_the_evaluated_weights(digits, kind, monkeypatch):
    kept = []

    def keep(*given):
        kept.append(Lanes(*given))
        return kept[-1]

    monkeypatch.setattr(loop, "Lanes", keep)
    recipe = Recipe("small-cnn", epochs=24, batch_size=32, form=OptimizerForm(kind), precision="fp64")
    runs = three_runs(kind)
    results = train(recipe, runs, digits, device=CPU, read_test=True)
    [lanes] = kept
    parameters = lanes.carried["parameters"]
    for i, (run, result) in enumerate(zip(runs, results, strict=True)):
        model = models.build("small-cnn", digits.shape, digits.classes, run.seed, 0.0).double()

        def loss(weights, examples, model=model):
            vector_to_parameters(weights, model.parameters())
            x = normalise(examples.images, digits.mean, digits.std, torch.float64)
            return cross_entropy(model(x), examples.labels).item()

        evaluated, trained = lanes.chain.weights(lanes.carried, parameters)[i].detach(), parameters[i].detach()
        assert result.validation["loss"] == pytest.approx(loss(evaluated, digits.validation), rel=1e-10)
        assert result.test["loss"] == pytest.approx(loss(evaluated, digits.test), rel=1e-10)
        assert evaluated.equal(trained) == (kind == "prodigy") == (not lanes.chain.averages)
        assert result.validation["accuracy"] > 0.6  # it has learned: the point evaluated is not the beginning
