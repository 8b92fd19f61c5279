"""What a user writes today: Optuna, nn.Module, torch.optim.SGD and an LRScheduler, one model at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial

import optuna
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from benchmarks import usual
from benchmarks.work import MOMENTUM, Outcome, Work, load
from decaybench import models, seeds
from decaybench.data import augmentation, augmented, draw_augmentation, normalise

Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]
"""An epoch's batches of images and labels."""


def study(work: Work) -> optuna.Study:
    """A study in memory that proposes the work's learning rates, in order."""
    made = optuna.create_study()
    for rate in work.learning_rates:
        made.enqueue_trial({"learning_rate": rate})
    return made


def ask(trial: optuna.Trial) -> float:
    """The trial's learning rate."""
    return trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)


def with_loader(work: Work, precision: str, *, judge: bool) -> list[Outcome]:
    """(a) A DataLoader, one trial after another, with one torch thread per core."""
    loader = _loader(work)

    def objective(trial: optuna.Trial) -> float:
        def batches(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
            loader.sampler.generator = seeds.generator(trial.number, "order", epoch)
            return loader

        outcomes.append(_train(work, precision, trial.number, ask(trial), batches, judge=judge))
        return outcomes[-1].train_loss

    outcomes: list[Outcome] = []
    study(work).optimize(objective, n_trials=work.runs)
    return outcomes


def from_memory(work: Work, precision: str, *, judge: bool) -> list[Outcome]:
    """(b) The same without a DataLoader."""

    def objective(trial: optuna.Trial) -> float:
        outcomes.append(one_run(work, precision, trial.number, ask(trial), judge=judge))
        return outcomes[-1].train_loss

    outcomes: list[Outcome] = []
    study(work).optimize(objective, n_trials=work.runs)
    return outcomes


def in_processes(work: Work, precision: str, pool: ProcessPoolExecutor, *, judge: bool) -> list[Outcome]:
    """(c) The trials of (b), distributed among processes that train one trial at a time with one thread."""
    asked = study(work)
    trials = [asked.ask() for _ in range(work.runs)]
    begun = [pool.submit(one_run, work, precision, trial.number, ask(trial), judge=judge) for trial in trials]
    outcomes = [future.result() for future in begun]
    for trial, outcome in zip(trials, outcomes, strict=True):
        asked.tell(trial, outcome.train_loss)
    return outcomes


def one_run(work: Work, precision: str, seed: int, rate: float, *, judge: bool) -> Outcome:
    """Train one run, whose batches are indexed from tensors on the device, and augmented there."""
    images, labels = (tensor.to(work.device) for tensor in _examples(work)[:2])
    changed = _Augmented(work, seed) if work.augment else None

    def batches(epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(labels), generator=seeds.generator(seed, "order", epoch)).to(work.device)
        for start in range(0, work.steps * work.batch_size, work.batch_size):
            chosen = order[start : start + work.batch_size]
            yield changed.batch(epoch, chosen) if changed else images[chosen], labels[chosen]

    return _train(work, precision, seed, rate, batches, judge=judge)


def _train(work: Work, precision: str, seed: int, rate: float, batches: Batches, *, judge: bool) -> Outcome:
    device = torch.device(work.device)
    model = _model(work, seed).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=MOMENTUM)
    scheduler = CosineAnnealingLR(optimizer, work.updates)
    cast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    total = torch.zeros((), device=device)
    for epoch in range(work.epochs):
        total.zero_()
        for images, labels in batches(epoch):
            x, y = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            with cast:
                loss = F.cross_entropy(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            scheduler.step()
            total += loss.detach()
    train_loss = total.item() / work.steps
    with cast:
        return Outcome(train_loss, _accuracy(work, model) if judge else None)


def _model(work: Work, seed: int) -> nn.Module:
    """The seed's initial weights, in a net as people write it."""
    data = load(work)
    ours = models.build(work.model, data.shape, data.classes, seed)
    if work.model not in usual.NETS:
        return ours
    theirs = usual.NETS[work.model](data.classes)
    with torch.no_grad():
        for mine, weights in zip(theirs.parameters(), ours.parameters(), strict=True):
            mine.copy_(weights)
    return theirs


@torch.no_grad()
def _accuracy(work: Work, model: nn.Module) -> float:
    images, labels = (tensor.to(work.device) for tensor in _examples(work)[2:])
    model.eval()
    return float((model(images).argmax(1) == labels).double().mean())


@cache
def _loader(work: Work) -> DataLoader:
    """Batches of training examples. With ``shuffle=True`` a loader has the same sampler; here its seed is set."""
    if not work.augment:
        dataset = TensorDataset(*_examples(work)[:2])
        return DataLoader(dataset, work.batch_size, sampler=RandomSampler(dataset), drop_last=True)
    assert work.augment == ("crop4", "flip")
    data = load(work)
    changes = usual.RandomCrop(data.shape[1], padding=4), usual.RandomHorizontalFlip()
    transform = usual.Compose(*changes, usual.ToFloat(), usual.Normalize(data.mean, data.std))
    return usual.loader(usual.Images(data.train.images, data.train.labels, transform), work.batch_size)


def close_loaders() -> None:
    """End the processes of all loaders."""
    _loader.cache_clear()


class _Augmented:
    """A run's augmented images as in decaybench: whole batches, and the same draws."""

    def __init__(self, work: Work, seed: int) -> None:
        self.data, self.seed = load(work).to(work.device), seed
        self.augment = tuple(map(augmentation, work.augment))
        self.epoch = -1

    def batch(self, epoch: int, chosen: Tensor) -> Tensor:
        """The normalised images of the examples ``chosen`` (B,)."""
        images = self.data.train.images
        if epoch != self.epoch:
            drawn = draw_augmentation(self.augment, self.seed, epoch, len(images), self.data.shape[1:])
            self.epoch, self.draws = epoch, drawn.to(images.device)
        normalised = partial(normalise, mean=self.data.mean, std=self.data.std, dtype=torch.float32)
        lone = images[chosen].unsqueeze(1), self.draws[chosen].unsqueeze(1)
        return augmented(self.augment, *lone, normalised).squeeze(1)


@cache
def _examples(work: Work) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalised images and labels of the training split, then of the validation split, on the CPU."""
    data = load(work)
    train, validation = (
        normalise(split.images, data.mean, data.std, torch.float32) for split in (data.train, data.validation)
    )
    return train, data.train.labels, validation, data.validation.labels
