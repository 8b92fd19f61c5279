"""(d) decaybench: stacks of K runs, one process per core."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from benchmarks.plain import ask, study
from benchmarks.work import MOMENTUM, Outcome, Work, load, without_validation
from decaybench.data import Examples, TaskData, augmentation
from decaybench.schedules import Cosine
from decaybench.training import EpochCurves, Precision, Recipe, Run, train

SHORT = 8  # batches per epoch in the short measurement


def stacks(work: Work, precision: str, k: int, pool: ProcessPoolExecutor, *, judge: bool) -> list[Outcome]:
    """Train all runs in stacks of ``k``, distributed among the processes."""
    asked = study(work)
    trials = [asked.ask() for _ in range(work.runs)]
    rates = [(trial.number, ask(trial)) for trial in trials]
    begun = [
        pool.submit(one_stack, work, precision, rates[start : start + k], judge=judge)
        for start in range(0, work.runs, k)
    ]
    outcomes = [outcome for future in begun for outcome in future.result()]
    for trial, outcome in zip(trials, outcomes, strict=True):
        asked.tell(trial, outcome.train_loss)
    return outcomes


def one_stack(work: Work, precision: str, rates: list[tuple[int, float]], *, judge: bool) -> list[Outcome]:
    """Train one stack, whose runs are given by seed and learning rate."""
    data = load(work) if judge else without_validation(load(work))
    last = _train(work, precision, work.epochs, rates, data)[-1]
    losses = np.where(last.alive, last.train_loss, np.nan).tolist()
    accuracies = last.validation["accuracy"].tolist() if judge else [None] * len(rates)
    return [Outcome(loss, accuracy) for loss, accuracy in zip(losses, accuracies, strict=True)]


def speeds(work: Work, precision: str, processes: int, pool: ProcessPoolExecutor) -> dict[int, float]:
    """Training samples per second of all processes together, for every K that distributes the runs evenly."""
    share = work.runs // processes
    measured = {}
    for k in [k for k in range(1, share + 1) if share % k == 0]:
        begun = [pool.submit(_seconds, work, precision, k) for _ in range(processes)]
        slowest = max(future.result() for future in begun)
        measured[k] = processes * k * min(SHORT, work.steps) * work.batch_size / slowest
    return measured


def _seconds(work: Work, precision: str, k: int) -> float:
    """Seconds for a short epoch of a stack of ``k``: the faster of two, after one that warms up."""
    data = without_validation(load(work))
    size = min(SHORT, work.steps) * work.batch_size
    part = replace(data, train=Examples(data.train.images[:size], data.train.labels[:size]))
    curves = _train(work, precision, 3, [(seed, 1e-3) for seed in range(k)], part)
    return min(epoch.seconds for epoch in curves[1:])


def _train(
    work: Work, precision: str, epochs: int, rates: list[tuple[int, float]], data: TaskData
) -> list[EpochCurves]:
    cosine = Cosine(floor=0.0)
    seen: list[EpochCurves] = []
    augment = tuple(map(augmentation, work.augment))
    train(
        Recipe(work.model, epochs, work.batch_size, precision=cast(Precision, precision), augment=augment),
        [Run(seed, cosine, rate, MOMENTUM, 0.0) for seed, rate in rates],
        data,
        device=torch.device(work.device),
        width=len(rates),
        on_epoch=seen.append,
    )
    return seen
