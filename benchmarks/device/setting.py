"""Where and how large everything is measured; the synthetic data; and timing."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch

from decaybench import seeds
from decaybench.data import Examples, TaskData, augmentation
from decaybench.schedules import SCHEDULES
from decaybench.training import EpochCurves, Recipe, Run, train
from decaybench.training.recipe import Precision

Measurement = tuple[Mapping[str, str], Callable[[], Mapping[str, object]]]
"""What is measured, in words, and the function that measures it and returns the values by their names."""

Section = Callable[["Setting"], Iterator[Measurement]]

SHAPES = {"lenet": (1, 28, 28), "small-cnn": (1, 8, 8)}  # all others: CIFAR-10's
BATCHES = {"lenet": 64, "small-cnn": 64}  # all others: 128
CLASSES = 10


@dataclass(frozen=True)
class Setting:
    """``quick`` makes everything tiny, for a test."""

    device: torch.device
    quick: bool

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def batch(self, model: str) -> int:
        """Examples per update."""
        return 4 if self.quick else BATCHES.get(model, 128)

    def data(self, model: str, updates: int, batch: int | None = None) -> TaskData:
        """Synthetic images for ``updates`` updates per epoch, on the CPU."""
        return _synthetic(
            SHAPES.get(model, (3, 32, 32)), updates * (batch or self.batch(model)), 4 if self.quick else 64
        )

    def synchronise(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, call: Callable[[], object], repetitions: int = 1) -> float:
        """The time of one of several calls, whose work on the device is finished."""
        self.synchronise()
        started = time.perf_counter()
        for _ in range(repetitions):
            call()
        self.synchronise()
        return (time.perf_counter() - started) / repetitions


@cache
def _synthetic(shape: tuple[int, int, int], examples: int, held_out: int) -> TaskData:
    """Noise around one image per class, so that a net can learn it."""
    generator = seeds.generator(0, "benchmarks", "device")
    means = torch.randint(64, 192, (CLASSES, *shape), generator=generator)

    def drawn(n: int) -> Examples:
        labels = torch.randint(CLASSES, (n,), generator=generator)
        noise = torch.randint(-63, 64, (n, *shape), generator=generator)
        return Examples((means[labels] + noise).to(torch.uint8), labels)

    train_split, other = drawn(examples), drawn(held_out)
    pixels = train_split.images.double().div(255).transpose(0, 1).flatten(1)
    return TaskData(train_split, other, None, other, pixels.mean(1), pixels.std(1), CLASSES)


def constant_runs(k: int) -> list[Run]:
    """Runs with seeds 0 to k - 1 and a constant learning rate."""
    return [Run(seed, SCHEDULES["constant"](), 0.01, 0.9, 0.0) for seed in range(k)]


def curves(
    setting: Setting,
    model: str,
    precision: Precision,
    runs: list[Run],
    data: TaskData,
    *,
    epochs: int,
    captured: bool | None = None,
    batch: int | None = None,
    augment: Sequence[str] = (),
) -> list[EpochCurves]:
    """Train ``runs`` as one stack; its curves, one entry per epoch."""
    seen: list[EpochCurves] = []
    changes = tuple(map(augmentation, augment))
    recipe = Recipe(model, epochs, batch or setting.batch(model), precision=precision, augment=changes)
    train(recipe, runs, data, device=setting.device, captured=captured, on_epoch=seen.append)
    return seen
