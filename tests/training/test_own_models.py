"""A model of one's own is trained as it is alone, or one line says why not."""

import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from decaybench import models
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, check_builder, check_model, train
from reference import plain_loop
from training.own_models import ROWS

SHAPE, CLASSES = (1, 8, 8), 10
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    """A few examples of each split."""
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0))

    def first(examples, n):
        return replace(examples, images=examples.images[:n], labels=examples.labels[:n])

    return replace(data, train=first(data.train, 20), validation=first(data.validation, 6), test=first(data.test, 6))


@pytest.fixture(autouse=True)
def _warnings_are_a_modules_own():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def own(monkeypatch):
    """Make a builder the model ``own``."""
    return lambda builder: monkeypatch.setitem(models.MODELS._built_in, "own", builder)


def judge(precision="fp64"):
    template, *siblings = check_builder(lambda seed: models.build("own", SHAPE, CLASSES, seed))
    check_model(template, SHAPE, CLASSES, siblings=siblings, precision=precision)


def generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def runs(*seeds):
    return [Run(seed, SCHEDULES["constant"](), 0.02, 0.5, 0.0) for seed in seeds]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_model_is_trained_as_alone_or_refused_in_one_line(row, own, digits):
    own(row.build)
    before = generators()
    if row.says is not None:
        with pytest.raises(UserError) as refusal:
            judge()
        assert "\n" not in str(refusal.value) and str(refusal.value).startswith("task.model")
        assert any(part in str(refusal.value) for part in row.says.split("|")), refusal.value
        assert generators() == before
        return
    judge()
    assert generators() == before
    recipe = Recipe("own", epochs=2, batch_size=10, precision="fp64")
    curves = []
    results = train(recipe, runs(0, 1, 2), digits, device=CPU, read_test=True, on_epoch=curves.append)
    for i, run in enumerate(runs(0, 1, 2)):
        plain = plain_loop(recipe, run, digits)
        tolerance = 1e-5 if row.name.startswith("in_single_precision") else 1e-10
        np.testing.assert_allclose([c.train_loss[i] for c in curves], plain.train_loss, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            [c.validation_loss[i] for c in curves], plain.validation_loss, rtol=0, atol=tolerance
        )
        np.testing.assert_allclose(results[i].test_loss, plain.test_loss, rtol=0, atol=tolerance)


def test_the_table_is_of_60_models_and_more():
    assert len({row.name for row in ROWS}) == len(ROWS) > 60
