"""A short run under each kind, so that its curve can be shown: by the clock, or in a training small enough to repeat.

A reactive rule has no curve of its own, so it drives a softmax regression here, through TorchScheduler, as it would
drive anything else.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from decaybench.schedules.adapter import TorchScheduler
from decaybench.schedules.base import Reactive, Schedule
from decaybench.schedules.trace import trace

UPDATES: Final = 200
EPOCH: Final = 10
"""Updates of the run, and of each epoch."""
TRAINING: Final = "a softmax regression on five overlapping clouds of points, plain SGD, batches of 20"

_CLASSES, _BATCH = 5, 20


class Example(NamedTuple):
    """A run of a kind: its schedule, base learning rate, scales (UPDATES,), and the losses that it was shown.

    ``loss`` is (UPDATES,) or one an epoch, (UPDATES / EPOCH,); a fixed schedule is shown none. All float64.
    """

    schedule: Schedule
    base_lr: float
    scale: Tensor
    loss: Tensor | None


def settings(kind: type[Schedule]) -> dict[str, Any]:
    """A value in native units for every parameter that is searched: the middle of its range, to three digits.

    Of "0 or a range" it is the range's middle; a list has two entries. the kind's ``example`` goes first.
    """
    values = {name: value for name, value in kind.example.items() if name != "learning_rate"}
    for name in kind.parameters():
        searched = kind.range_of(name, epochs=UPDATES // EPOCH, options=values)
        if searched is None or name in values:
            continue
        u = (0.5, 0.3, 0.7, *[0.5] * searched.dims) if searched.count else (0.75 if searched.zero_or else 0.5,)
        value = searched.at(u[: searched.dims])
        values[name] = _short(searched.to_native(value, total_steps=UPDATES, steps_per_epoch=EPOCH))
    return {name: values[name] for name in kind.parameters() if name in values}


def example(kind: type[Schedule]) -> Example:
    """The kind at its ``settings``, in a run of UPDATES updates. Raises as the kind does."""
    schedule = kind(**settings(kind))
    base_lr = kind.example.get("learning_rate", 0.1)
    if isinstance(schedule, Reactive):
        return Example(schedule, base_lr, *_train(schedule, base_lr))
    return Example(schedule, base_lr, trace(schedule, UPDATES, EPOCH), None)


def _train(rule: Reactive, base_lr: float) -> tuple[Tensor, Tensor]:
    """The rule's scales, and what it was shown; with signal "held_out" that is the training's loss too."""
    weights = torch.zeros(3, _CLASSES, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=base_lr)
    scheduler = TorchScheduler(optimizer, rule, UPDATES, EPOCH)
    scales, losses, shown = [], list[float](), list[float]()
    for points, classes in _batches():
        optimizer.zero_grad()
        loss = cross_entropy(points @ weights, classes)
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        if rule.when == "update":
            shown.append(losses[-1])
            scheduler.observe(loss)
        scales.append(scheduler.get_last_lr()[0] / base_lr)
        optimizer.step()
        scheduler.step()
        if rule.when == "epoch" and len(losses) % EPOCH == 0:
            shown.append(sum(losses[-EPOCH:]) / EPOCH)
            scheduler.observe(shown[-1])
    return torch.tensor(scales, dtype=torch.float64), torch.tensor(shown, dtype=torch.float64)


def _batches() -> Iterator[tuple[Tensor, Tensor]]:
    """UPDATES batches: points (20, 3) with a constant 1 as third coordinate, classes (20,). The same in every call."""
    generator = torch.Generator().manual_seed(0)
    angle = torch.arange(_CLASSES, dtype=torch.float64) * (2 * torch.pi / _CLASSES)
    centres = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
    classes = torch.arange(EPOCH * _BATCH) % _CLASSES
    noise = torch.randn(len(classes), 2, dtype=torch.float64, generator=generator)
    points = torch.cat([centres[classes] + noise, torch.ones(len(classes), 1, dtype=torch.float64)], 1)
    for _ in range(UPDATES // EPOCH):
        for batch in torch.randperm(len(classes), generator=generator).view(-1, _BATCH):
            yield points[batch], classes[batch]


def _short(value: Any) -> Any:
    """To three digits, so that what is printed is what was used."""
    if isinstance(value, tuple):
        return tuple(map(_short, value))
    if not isinstance(value, float):
        return value
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short
