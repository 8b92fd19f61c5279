"""Trainings that are small, in which much happens, and that are interrupted."""

from dataclasses import fields, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import Checkpoint, EpochCurves, Interrupted, Recipe, Run, TrainingResult, train

CPU = torch.device("cpu")
STEPS, BATCH = 3, 8  # updates per epoch, examples per update
EPOCHS = 4
RECIPE = Recipe("small-cnn", epochs=EPOCHS, batch_size=BATCH)


def data():
    """Digits for three updates per epoch."""
    dataset = load_dataset("digits", None)
    made = prepare(dataset, draw_splits(dataset, 0, train_size=STEPS * BATCH, signal=True))

    def first(part, n):
        return replace(part, images=part.images[:n], labels=part.labels[:n])

    few = {name: first(getattr(made, name), 6) for name in ("validation", "signal", "test")}
    return replace(made, **few)


def make(kind, **fields):
    return SCHEDULES[kind](**fields)


def mixed():
    """Runs that part within an epoch and at its end, rules with memory, a short run, and two that diverge."""
    schedules = [
        make("constant"),
        make("exponential", decay_rate=0.5, decay_steps=4, staircase=True),  # parts at update 4, within an epoch
        make("reduce_on_plateau", factor=0.5, patience=0, cooldown=0, threshold=0.9, signal="held_out"),
        make("exp_loss", gain=0.1, signal="ema"),
        make("bold_driver", up=1.1, down=0.5),
        make("constant"),
    ]
    runs = [Run(1, schedule, 0.05, 0.9, 1e-4) for schedule in schedules]
    runs[-1] = replace(runs[-1], epochs=2)
    # Weight decay makes the first one's weights grow 29 times per update, so that it diverges later than the other.
    return [*runs, Run(2, make("constant"), 1.0, 0.0, 30.0), Run(3, make("constant"), 1e30, 0.0, 0.0)]


def gradient_rules():
    kinds = {"polyak": {"c": 0.5}, "l4": {"alpha": 0.1}, "hypergradient": {"beta": 1e-4}}
    return [*(Run(1, make(kind, **own), 0.02, 0.9, 1e-4) for kind, own in kinds.items()), *mixed()[:2]]


def dying():
    """One that ends with the first epoch, and one that diverges in the second."""
    return [replace(mixed()[0], epochs=1), mixed()[-2]]


def dropping(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, classes))


def normed(shape, classes):
    return nn.Sequential(nn.Conv2d(1, 3, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, classes))


class Stop:
    """Ends the run with the smallest loss after the second epoch, and remembers that it has."""

    def __init__(self, done=None):
        self.done = done or []

    def __call__(self, curves):
        cost = np.where(curves.alive, curves.train_loss, np.inf)
        stopped = (cost == cost.min()) & (curves.epoch == 2)
        self.done = [*self.done, *np.flatnonzero(stopped).tolist()]
        return stopped


class Keeps:
    """Keeps every checkpoint, with what ``stop`` remembers, and leaves after so many."""

    def __init__(self, stop=None, most=None):
        self.stop, self.most, self.kept = stop, most, []

    def due(self):
        return True

    def leave(self):
        return len(self.kept) + 1 == self.most

    def save(self, checkpoint):
        self.kept.append(replace(checkpoint, extra=self.stop and self.stop.done))


def trained(data, settings, runs, how, *, resume=None, most=None):
    """All that anyone can tell of a training: its checkpoints, curves, results, and what its ``stop`` remembers."""
    resume = resume and Checkpoint.from_bytes(resume.to_bytes())
    stop, curves = Stop(resume.extra if resume else None), []
    keeper = Keeps(stop, most)
    recipe, results = replace(RECIPE, **settings), None
    try:
        results = train(
            recipe,
            runs,
            data,
            device=CPU,
            read_test=True,
            on_epoch=curves.append,
            stop=stop,
            keeper=keeper,
            resume=resume,
            **how,
        )
    except Interrupted:
        assert len(keeper.kept) == most
    return keeper.kept, curves, results, stop.done


def bits(value):
    """The same without wall times, and with tensors and arrays as bytes, for a comparison bit for bit."""
    if isinstance(value, Checkpoint):
        plain = {each.name: getattr(value, each.name) for each in fields(value)}
        return tree_map(bits, {**plain, "seconds": 0.0, "record": without_seconds(plain["record"])})
    if isinstance(value, EpochCurves | TrainingResult):
        return tree_map(bits, {name: each for name, each in vars(value).items() if name != "seconds"})
    if isinstance(value, Tensor):
        return value.dtype, tuple(value.shape), value.numpy().tobytes()
    return value.tobytes() if isinstance(value, np.ndarray) else value


def without_seconds(record):
    return {**record, "curves": {name: column for name, column in record["curves"].items() if name != "seconds"}}
