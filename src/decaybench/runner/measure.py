"""A short measurement of how many models to train at once on this machine, and of the speed."""

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time

import torch

from decaybench.data import Examples, cache_folder
from decaybench.errors import UserError
from decaybench.runner.environment import Environment
from decaybench.runner.worker import recipe
from decaybench.schedules import SCHEDULES
from decaybench.sweep import Task
from decaybench.training import OptimizerForm, Run, train
from decaybench.training.lanes import EVALUATION_CHUNK

WIDTHS = {"cpu": (1, 2, 4, 8, 16, 32, 64), "cuda": (16, 32, 64, 128, 256, 512, 1024)}
# On a GPU, the first epoch warms up and the second is recorded as a CUDA graph; the third one has its usual speed.
EPOCHS = 3
METHOD = 5  # the version of this method; results of older versions in the cache are ignored
SECONDS = 0.15  # how long each width is measured
CLOSE = 0.97  # prefer a smaller width that is nearly as fast, since more stacks can be shared among processes


@dataclass(frozen=True)
class Speed:
    """``width`` models at once; ``seconds`` is the time of one process for one update of one run."""

    width: int
    seconds: float


def measure(task: Task, environment: Environment) -> Speed:
    """The best width for the sweep's model, batch size, precision and device; kept in the cache folder."""
    batch, scale = _batch(task, environment)
    chosen = _measured(task, environment, batch)
    return replace(chosen, seconds=chosen.seconds * scale)


def glance(task: Task, environment: Environment) -> float:
    """Roughly the seconds of one process for one update of one run, from a single update of two."""
    batch, scale = _batch(task, environment)
    return _timed(task, environment, 2, batch, 1) * scale


def _batch(task: Task, environment: Environment) -> tuple[int, float]:
    """The batch to measure, and what its time is multiplied by.

    Batch gradient descent is measured on 250 examples, so that one cached result fits all sizes.
    """
    if task.batch_size != "full":
        return task.batch_size, 1.0
    examples = len(environment.data.train)
    batch = min(250, examples)
    return batch, examples / batch


def _measured(task: Task, environment: Environment, batch: int) -> Speed:
    path = _remembered(task, environment, batch)
    with contextlib.suppress(OSError, ValueError, TypeError):
        if path is not None:
            return Speed(**json.loads(path.read_text()))
    tried: list[Speed] = []
    for width in WIDTHS[environment.device.type]:
        try:
            tried.append(Speed(width, _seconds(task, environment, width, batch, tried[-1].seconds if tried else None)))
        except RuntimeError:  # out of memory, which recording a CUDA graph may report as another error
            if not tried or environment.device.type != "cuda":
                raise
            break
        best = min(speed.seconds for speed in tried)
        if all(speed.seconds > best for speed in tried[-2:]):  # the last two were slower
            break
    chosen = next(speed for speed in tried if speed.seconds * CLOSE <= best)
    if path is not None:
        _remember(path, chosen)
    return chosen


def _seconds(task: Task, environment: Environment, width: int, batch: int, before: float | None) -> float:
    """Seconds for one update of one run, with ``width`` models at once; ``before`` is that of the width before.

    A first, short training warms up, and sets how long to measure. On a GPU, memory limits the width, and validation
    needs memory too: the warm-up therefore validates a whole chunk. That is not timed.
    """
    guess = before if before is not None else _timed(task, environment, width, batch, 1)
    updates = max(1, min(round(SECONDS / (max(guess, 1e-9) * width)), len(environment.data.train) // batch))
    _timed(task, environment, width, batch, 1, validated=EVALUATION_CHUNK if environment.device.type == "cuda" else 2)
    return _timed(task, environment, width, batch, updates)


def _timed(task: Task, environment: Environment, width: int, batch: int, updates: int, validated: int = 2) -> float:
    """Seconds for one update of one run: of processor time on a CPU, so that other programs do not count."""
    data, device = environment.data, environment.device
    held_out = _first(data.validation, validated)
    part = replace(data, train=_first(data.train, batch * updates), validation=held_out, signal=None)
    runs = [Run(seed, SCHEDULES["constant"](), 0.0, 0.9, 0.0) for seed in range(width)]  # at rate 0, none diverges
    short = replace(recipe(task, OptimizerForm(), EPOCHS), batch_size=batch)
    clock = process_time if device.type == "cpu" else perf_counter
    ends: list[float] = []  # an epoch's numbers are on the host when it ends, so the device has finished its work
    train(short, runs, part, device=device, width=width, on_epoch=lambda _: ends.append(clock()))
    if len(ends) < EPOCHS:
        raise UserError("task.model: gives a loss that is not finite with its initial weights")
    epochs = [after - before for before, after in pairwise(ends)]
    return (min(epochs) if device.type == "cpu" else epochs[-1]) / (width * updates)


def _first(examples: Examples, n: int) -> Examples:
    return Examples(examples.images[:n], examples.labels[:n])


def _remembered(task: Task, environment: Environment, batch: int) -> Path | None:
    """The file that keeps the measurement of this model, batch, precision and device; None without a cache folder."""
    folder = cache_folder()
    if folder is None:
        return None
    cuda = environment.device.type == "cuda"
    facts = [
        *(METHOD, torch.__version__, torch.cuda.get_device_name() if cuda else _processor()),
        *(str(task.model), task.dropout, batch, task.precision, environment.data.shape, environment.data.classes),
        *map(str, task.augment or ()),
    ]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return folder / "speed" / f"{key}.json"


def _processor() -> str:
    """The processor's name, if the system reports one."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line
    return os.uname().machine if hasattr(os, "uname") else "unknown"


def _remember(path: Path, speed: Speed) -> None:
    """Write the file atomically, so that no other process reads half of it. If it cannot be written, ignore that."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(speed)))
        temporary.replace(path)
