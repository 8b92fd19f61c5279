"""A pool of trials that are really trained, from which whole sweeps can be drawn: digits, small-cnn, six strategies.

A point is a scrambled Sobol point of the base learning rate, which the strategies share, and of a strategy's own
parameters. Every point is trained with each of a few seeds, which are the same for all points.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.scrambles import Array, scramble
from decaybench.data import TaskData, draw_splits, load_dataset, prepare
from decaybench.metrics import METRICS
from decaybench.search.balanced import TOGETHER
from decaybench.sweep import Arm, Sweep, arms, resolve
from decaybench.training import Recipe, Run, TrainingResult, train

POINTS, SEEDS, EPOCHS, BATCH = 256, 4, 5, 64
BLOCK = 16  # points between two writes
SWEEP = {
    "name": "pool",
    "task": {"data": "digits", "model": "small-cnn", "epochs": EPOCHS, "batch_size": BATCH},
    "budget": {"trials": 6, "repeats": 5, "confirm_seeds": 1},
    "search": {"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}, "momentum": 0.9, "weight_decay": 0.0},
    "strategies": {
        "constant": {},
        "time_based": {},
        "staircase": {
            "schedule": "exponential",
            "staircase": True,
            "decay_rate": {"low": 0.1, "high": 0.9},
            "decay_steps": {"value": 1, "unit": "epoch"},
        },
        "cosine": {},
        "exp_loss": {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}},
        "bold_driver": {},
    },
}


@dataclass(frozen=True)
class Trained:
    """The pool: S strategies, P points each, and Q seeds; accuracies and losses with chance for a diverged run.

    ``rates`` (P,) are the coordinates of the base learning rate, ``own`` those (P, dims) of each strategy's own
    parameters; ``results`` (S, P, Q, 3) are the validation accuracy, the validation loss and the test accuracy.
    """

    labels: tuple[str, ...]
    rates: Array
    own: tuple[Array, ...]
    results: Array
    diverged: NDArray[np.bool_]
    chance: float
    images: int


def make(file: Path, points: int = POINTS, seeds: int = SEEDS) -> None:
    """Train what the ``file`` lacks of the pool. It is written after every `BLOCK` points, and can be read then."""
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0))
    every, rates = arms(Sweep.from_mapping(SWEEP, "pool")), scramble(points, TOGETHER, (2, 0))[:, 0]
    own = [scramble(points, TOGETHER + _dims(arm), (2, 1, i))[:, TOGETHER:] for i, arm in enumerate(every)]
    results = np.empty((len(every), 0, seeds, 3))
    if file.exists():
        with np.load(file) as held:
            results = held["results"]
    _, counts = np.unique(data.train.labels, return_counts=True)
    started = time.monotonic()
    while (done := results.shape[1]) < points:
        block = slice(done, min(done + BLOCK, points))
        results = np.concatenate([results, _train(every, rates[block], [each[block] for each in own], seeds, data)], 1)
        made = {f"own {i}": each[: block.stop] for i, each in enumerate(own)}
        made |= {"labels": np.array([arm.label for arm in every]), "rates": rates[: block.stop], "results": results}
        made |= {"majority": counts.max() / counts.sum(), "images": np.array(len(data.test.labels))}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.part")
        with part.open("wb") as stream:
            np.savez_compressed(stream, allow_pickle=False, **made)
        part.replace(file)
        print(f"{block.stop} of {points} points, {time.monotonic() - started:.0f} s", flush=True)


def read(file: Path) -> Trained:
    """The pool of a file that `make` wrote."""
    with np.load(file) as held:
        labels, results, rates = tuple(held["labels"].tolist()), held["results"], held["rates"]
        own = tuple(held[f"own {i}"] for i in range(len(labels)))
        chance, images = float(held["majority"]), int(held["images"])
    diverged = np.isnan(results[..., 2])
    worst = METRICS["loss"].chance(chance, 10)
    loss = np.where(diverged, worst, np.minimum(results[..., 1], worst))
    accuracies = [np.where(diverged, chance, results[..., k]) for k in (0, 2)]
    return Trained(
        labels, rates, own, np.stack([accuracies[0], loss, accuracies[1]], axis=-1), diverged, chance, images
    )


def _train(every: Sequence[Arm], rates: Array, own: Sequence[Array], seeds: int, data: TaskData) -> Array:
    """Validation accuracy and loss and test accuracy, (S, points, seeds, 3); NaN where a run diverged."""
    steps = len(data.train.labels) // BATCH
    found = []
    for point, rate in enumerate(rates):
        runs = []
        for arm, coordinates in zip(every, own, strict=True):
            values = _values(arm, rate, list(coordinates[point]))
            at = resolve(arm, values, total_steps=EPOCHS * steps, steps_per_epoch=steps)
            runs += [Run(seed, at.schedule, at.learning_rate, at.momentum, at.weight_decay) for seed in range(seeds)]
        # all strategies in one stack: they share what is still alike, such as the first epoch of a bold driver
        stack = train(Recipe("small-cnn", EPOCHS, BATCH), runs, data, device=torch.device("cpu"), read_test=True)
        found.append([_numbers(result) for result in stack])
    return np.array(found).reshape(len(rates), len(every), seeds, 3).swapaxes(0, 1)


def _numbers(result: TrainingResult) -> tuple[float, float, float]:
    if result.outcome == "diverged":
        return (np.nan, np.nan, np.nan)
    found = result.validation["accuracy"], result.validation["loss"], result.test["accuracy"]
    assert None not in found
    return found


def _dims(arm: Arm) -> int:
    return sum(dimension.range.dims for dimension in arm.space if not dimension.shared)


def _values(arm: Arm, rate: float, coordinates: Sequence[float]) -> dict[str, object]:
    values: dict[str, object] = {}
    used = 0
    for dimension in arm.space:
        if dimension.shared:
            values[dimension.name] = dimension.range.at([rate])
        else:
            values[dimension.name] = dimension.range.at(coordinates[used : used + dimension.range.dims])
            used += dimension.range.dims
    return values
