"""Where a sweep runs: device, data and versions, as recorded in its provenance."""

import math
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import decaybench
from decaybench.data import Splits, TaskData, draw_splits, load_dataset, prepare, repeated_images
from decaybench.errors import UserError
from decaybench.findings.selection import Chance
from decaybench.metrics import METRICS
from decaybench.models import build
from decaybench.sweep import Sweep, Task, size
from decaybench.training import check_builder, check_model
from decaybench.training.lanes import EVALUATION_CHUNK, MICRO_BATCH, parts_of

VERSIONS = ("decaybench", "torch", "optuna", "numpy", "scipy", "sqlalchemy", "scikit-learn", "Pillow")


@dataclass(frozen=True)
class Rarest:
    """The class with the fewest examples in the training split, named as in its source."""

    name: str
    train: int


@dataclass(frozen=True, eq=False)
class Environment:
    """What all runs of a sweep share on this machine.

    ``chance`` is the result of guessing, by metric. ``tracks`` is whether the model keeps statistics of its batches.
    ``device`` and ``torch_version`` are those of the sweep's workers, which may be on another machine.
    """

    device: torch.device
    data: TaskData
    data_sha256: str
    splits: Splits
    chance: Chance
    rarest: Rarest
    tracks: bool = False
    torch_version: str = torch.__version__


def choose_device(wanted: str) -> torch.device:
    """The device for "auto" (the GPU, if there is one), "cpu" or "cuda"; UserError if the requested one is missing."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise UserError(f"--device: must be one of auto, cpu, cuda, got {wanted!r}")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("--device: cuda was requested, but torch finds no CUDA device on this machine")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def prepare_environment(sweep: Sweep, data_root: Path | None, device: torch.device) -> Environment:
    """Load and split the data, and check that model, batch size and images fit; UserError if they do not."""
    with sweep.named():
        return _prepare(sweep, data_root, device)


def _prepare(sweep: Sweep, data_root: Path | None, device: torch.device) -> Environment:
    task = sweep.task
    dataset = load_dataset(task.data, data_root)
    splits = draw_splits(
        dataset,
        sweep.search.seed,
        train_size=task.train_size,
        validation_size=task.validation_size,
        test_size=task.test_size,
        signal=sweep.needs_signal,
    )
    data = prepare(dataset, splits)
    _require_margin(task, len(data.test))
    _require_augmentable(task, data)
    for length in sweep.budget.lengths:
        size(sweep, len(data.train.labels), length)
    template, *siblings = check_builder(
        lambda seed: build(task.model, data.shape, data.classes, seed, dropout=task.dropout)
    )
    evaluated = [examples for examples in (data.validation, data.signal, data.test) if examples is not None]
    tracks = check_model(
        template,
        data.shape,
        data.classes,
        siblings=siblings,
        precision=task.precision,
        device=device,
        batches=parts_of(len(data.train), MICRO_BATCH) if task.batch_size == "full" else {task.batch_size},
        chunks=set[int]().union(*(parts_of(len(examples), EVALUATION_CHUNK) for examples in evaluated)),
        full=task.batch_size == "full",
    )
    counts = data.train.labels.bincount(minlength=data.classes)
    majority = counts.max().item() / len(data.train)
    rarest = Rarest(dataset.called(int(counts.argmin())), int(counts.min()))
    chance = {name: metric.chance(majority, data.classes) for name, metric in METRICS.items()}
    return Environment(device, data, dataset.sha256, splits, chance, rarest, tracks)


def _require_margin(task: Task, images: int) -> None:
    """UserError for a margin that is smaller than the least one on a test split of so many ``images``."""
    least = METRICS[task.metric].margin(images)
    if task.rope is not None and task.rope < least:
        shown = math.ceil(least * 1e6) / 1e6  # rounded up, so that it is allowed
        raise UserError(f"task.rope: must be >= {shown:g} (2 of the {images} test images), got {task.rope:g}")


def _require_augmentable(task: Task, data: TaskData) -> None:
    """UserError if an augmentation does not fit the images."""
    _, height, width = data.shape
    for each in task.augment or ():
        if each.pixels > (largest := each.largest(height, width)):
            rule = f"N must be at most {largest} for images of {height}x{width} pixels"
            raise UserError(f'task.augment: in "{each.kind}N", {rule}, got "{each}"')


def provenance(sweep: Sweep, environment: Environment, width: int, workers: int) -> dict[str, Any]:
    """The facts needed to check a result, such as versions, device, precision, and hashes of data and splits."""
    data = environment.data
    cuda = environment.device.type == "cuda"
    return {
        "versions": {name: version(name) for name in VERSIONS} | {"python": platform.python_version()},
        "platform": platform.platform(),
        "device": environment.device.type,
        "device_name": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "precision": sweep.task.precision,
        "threads": 1,
        "workers": workers,
        "stack_size": width,
        "data_sha256": environment.data_sha256,
        "splits_sha256": environment.splits.sha256,
        "examples_in_two_splits": environment.splits.repeated,
        "test_images_seen_before": repeated_images(data),
        "examples": {
            "train": len(data.train),
            "validation": len(data.validation),
            "signal": 0 if data.signal is None else len(data.signal),
            "test": len(data.test),
        },
        "classes": data.classes,
        "steps_per_epoch": size(sweep, len(data.train), 1.0).steps_per_epoch,
        **{f"chance_{metric}": value for metric, value in environment.chance.items()},
        "git_revision": _git_revision(),
    }


def require_same_data(name: str, stored: dict[str, Any], now: dict[str, Any], *, elsewhere: bool = False) -> None:
    """UserError if a sweep would continue with other images or splits, or on another kind of device.

    The device does not matter if the sweep is trained ``elsewhere``, since each worker compares its own.
    """
    for key, what in (("data_sha256", "images"), ("splits_sha256", "splits"), ("device", "device")):
        if stored[key] != now[key] and not (elsewhere and key == "device"):
            raise UserError(f"sweep {name}: its {what} must not change after its start ({stored[key]}), got {now[key]}")


def _git_revision() -> str | None:
    """The revision of the source tree that decaybench runs from; None if it is installed from a wheel."""
    root = Path(decaybench.__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git on this machine
        return None
    return asked.stdout.strip() or None
