"""A short example run of each kind, to show its curve.

A fixed schedule's curve follows from the time alone. A reactive rule has no curve without a training, so here it drives
a small softmax regression through TorchScheduler.
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
"""The updates of the run, UPDATES, and of each epoch, EPOCH."""
TRAINING: Final = "a softmax regression on five overlapping clouds of points, plain SGD, batches of 20"

_CLASSES, _BATCH = 5, 20


class Example(NamedTuple):
    """A run of a kind: its schedule, base learning rate, scales (UPDATES,), and the losses that it observed.

    ``loss`` is (UPDATES,), or (UPDATES / EPOCH,) for an epoch rule; None for a fixed schedule. Tensors are float64.
    """

    schedule: Schedule
    base_lr: float
    scale: Tensor
    loss: Tensor | None


def settings(kind: type[Schedule]) -> dict[str, Any]:
    """A value in native units for each parameter that is searched: the middle of its range, to three digits.

    The kind's ``example`` takes precedence. With ``zero_or``, it is the middle of the range without 0; a list has two
    entries.
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
    """Run the kind with its `settings` for UPDATES updates. Raises whatever the kind raises."""
    schedule = kind(**settings(kind))
    base_lr = kind.example.get("learning_rate", 0.1)
    if isinstance(schedule, Reactive):
        return Example(schedule, base_lr, *_train(schedule, base_lr))
    return Example(schedule, base_lr, trace(schedule, UPDATES, EPOCH), None)


def _train(rule: Reactive, base_lr: float) -> tuple[Tensor, Tensor]:
    """The rule's scales and the losses that it observed; these are training losses even with signal "held_out"."""
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
    """UPDATES batches, the same in each call: points (20, 3), whose third coordinate is 1, and classes (20,)."""
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
    """Round to three digits, so that the printed value is the one that was used."""
    if isinstance(value, tuple):
        return tuple(map(_short, value))
    if not isinstance(value, float):
        return value
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short
