"""Judging a model of one's own as a sweep does, and training a few runs of it."""

import random
from dataclasses import replace

import numpy as np
import torch

from decaybench import models
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, check_builder, check_model, train

SHAPE, CLASSES = (1, 8, 8), 10
CPU = torch.device("cpu")


def judge(precision="fp64"):
    template, *siblings = check_builder(lambda seed: models.build("own", SHAPE, CLASSES, seed))
    check_model(template, SHAPE, CLASSES, siblings=siblings, precision=precision)


def refused(precision):
    """What the one line says, if there is one."""
    try:
        judge(precision)
    except UserError as refusal:
        return str(refusal)
    return None


def generators():
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
    )


def runs(*seeds):
    return [Run(seed, SCHEDULES["constant"](), 0.02, 0.5, 0.0) for seed in seeds]


def assert_own_bits(data):
    """In fp32 a run has the same bits alone, beside others, in another place and in parts of another width."""
    recipe = Recipe("own", epochs=2, batch_size=10)

    def losses(width, *seeds):
        curves = []
        train(recipe, runs(*seeds), data, device=CPU, width=width, on_epoch=curves.append)
        place = seeds.index(1)
        return [(float(c.train_loss[place]), float(c.validation["loss"][place])) for c in curves]

    alone = losses(None, 1)
    assert len(alone) == 2
    assert losses(3, 0, 1, 2) == losses(2, 5, 4, 0, 3, 1) == alone
    assert losses(1, 0, 1, 2) == losses(1, 5, 4, 0, 3, 1) == losses(1, 1)  # a mode with bits of its own


def few_digits():
    """A few examples of each split."""
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0))

    def first(examples, n):
        return replace(examples, images=examples.images[:n], labels=examples.labels[:n])

    return replace(data, train=first(data.train, 20), validation=first(data.validation, 6), test=first(data.test, 6))
