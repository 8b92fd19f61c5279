"""What all variants train: the same runs on the same examples; and the processes among which runs are distributed."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Barrier

import torch

from decaybench.data import Examples, TaskData, draw_splits, load_dataset, prepare

VALIDATION = 300
MOMENTUM = 0.9
LOWEST, HIGHEST = 0.005, 0.05  # the range of learning rates, which are spaced evenly on a log scale
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Work:
    """``runs`` trainings of one net, each with its own seed and learning rate, which decays as a cosine.

    ``augment`` names the augmentations of training images as in a sweep file.
    """

    model: str
    data: str
    batch_size: int
    samples: int
    epochs: int
    runs: int
    device: str
    root: Path | None
    augment: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Updates per epoch; a partial last batch is dropped."""
        return self.samples // self.batch_size

    @property
    def updates(self) -> int:
        """Updates of one run."""
        return self.epochs * self.steps

    @property
    def trained(self) -> int:
        """The number of training samples that all runs process together."""
        return self.runs * self.updates * self.batch_size

    @property
    def learning_rates(self) -> list[float]:
        """One learning rate per run; run i has the seed i."""
        return [LOWEST * (HIGHEST / LOWEST) ** (i / max(1, self.runs - 1)) for i in range(self.runs)]

    @property
    def name(self) -> str:
        return ", ".join([f"{self.model} / {self.data}", f"B = {self.batch_size}", *self.augment])


@dataclass(frozen=True)
class Outcome:
    """A run's mean training loss in its last epoch, and its validation accuracy unless the run was timed."""

    train_loss: float
    accuracy: float | None


def load(work: Work) -> TaskData:
    """The work's images, uint8 on the CPU, with a validation split; UserError if they cannot be loaded."""
    return loaded(work.data, work.root, work.samples)


@cache
def loaded(name: str, root: Path | None, samples: int) -> TaskData:
    """So many training images of a dataset, loaded once."""
    dataset = load_dataset(name, root)
    return prepare(dataset, draw_splits(dataset, 0, train_size=samples, validation_size=VALIDATION))


def without_validation(data: TaskData) -> TaskData:
    """The same data with a single validation example, the least that `train` accepts."""
    one = Examples(data.validation.images[:1], data.validation.labels[:1])
    return replace(data, validation=one)


_all_here: Barrier


def _begin(works: Sequence[Work], all_here: Barrier) -> None:
    global _all_here
    _all_here = all_here
    torch.set_num_threads(1)
    for work in works:
        load(work)


def _meet(_: int) -> None:
    _all_here.wait()


@contextmanager
def processes(works: Sequence[Work], count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of ``count`` single-threaded processes that have imported everything and loaded all images."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, spawn, _begin, (works, spawn.Barrier(count))) as pool:
        list(pool.map(_meet, range(count)))  # returns only when all processes have begun
        yield pool
