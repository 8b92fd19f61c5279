"""Fixed schedules: time alone. t: updates made, of T; e: epoch, from 0; scale: lr / base lr."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, Range, number
from decaybench.schedules.validation import refuse


@dataclass(frozen=True)
class Constant(Fixed):
    """scale = 1: no decay, the control arm of every comparison.

    Source: plain SGD (Robbins & Monro 1951 with a constant step).
    """

    def at(self, clock: Clock) -> Tensor:
        return torch.ones_like(clock.step)


@dataclass(frozen=True)
class TimeBased(Fixed):
    """scale = 1 / (1 + decay * t), or 1 / (1 + decay * e) with ``per="epoch"``.

    ``decay`` is per update or per epoch, as ``per`` says. Update 0 is undecayed: Keras reads its counter
    before moving it.

    Source: Keras' SGD(decay=), which decays per update; the formula in its documentation is read per epoch.
    """

    decay: Param = number("[0, inf)", Range(0.05, 1000.0, log=True, unit="1/run", native="1/update"), unit="1/update")
    per: Literal["update", "epoch"] = "update"

    @classmethod
    def native_unit(cls, name: str, options: Any) -> str:
        if name == "decay":
            return f"1/{options.get('per', 'update')}"
        return super().native_unit(name, options)

    def at(self, clock: Clock) -> Tensor:
        n = clock.step if self.per == "update" else clock.epoch
        scale: Tensor = 1.0 / (1.0 + self.decay * n)
        return scale


@dataclass(frozen=True)
class InverseTime(Fixed):
    """scale = 1 / (1 + decay_rate * t / decay_steps); t / decay_steps is floored when ``staircase``.

    ``decay_steps`` is in updates.

    Source: tf.keras.optimizers.schedules.InverseTimeDecay.
    """

    decay_rate: Param = number("[0, inf)", Range(0.1, 100.0, log=True))
    decay_steps: Param = number("(0, inf)", Range(0.05, 0.5, unit="run", native="update"))
    staircase: bool = False

    def at(self, clock: Clock) -> Tensor:
        n = clock.step / self.decay_steps
        scale: Tensor = 1.0 / (1.0 + self.decay_rate * (torch.floor(n) if self.staircase else n))
        return scale


@dataclass(frozen=True)
class StepDecay(Fixed):
    """scale = drop ** floor((e + offset) / epochs_drop).

    ``epochs_drop`` is in epochs. ``offset=1`` is the callback that circulates among Keras users: it drops an
    epoch earlier than the formula.

    Source: the "step decay" of CS231n's notes; offset 1 from keras.callbacks.LearningRateScheduler tutorials.
    """

    drop: Param = number("(0, 1]", Range(0.1, 0.9))
    epochs_drop: Param = number("(0, inf)", Range(0.1, 0.5, unit="run", native="epoch", at_least=1))
    offset: Param = number("int [0, inf)", 0)

    def at(self, clock: Clock) -> Tensor:
        scale: Tensor = self.drop ** torch.floor((clock.epoch + self.offset) / self.epochs_drop)
        return scale


@dataclass(frozen=True)
class MultiStep(Fixed):
    """scale = product of gamma over the milestones passed; one is passed once e >= milestone.

    ``milestones`` is a sorted list in epochs; ``gamma`` is one number or a list of one per milestone.

    Source: torch.optim.lr_scheduler.MultiStepLR. TensorFlow's PiecewiseConstantDecay counts updates and keeps
    the old value at a boundary: steps_per_epoch 1 and milestones of boundary + 1.
    """

    milestones: Param = number("[0, inf)", Range(0.3, 0.9, unit="run", native="epoch", count=(1, 3)), pad=math.inf)
    gamma: Param = number("(0, 1]", Range(choices=(0.1, 0.2, 0.5)), pad=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        times, gammas = _columns(self.milestones), _columns(self.gamma)
        for earlier, later in pairwise(times):
            if not torch.as_tensor(earlier <= later).all():
                refuse("MultiStep", "milestones", "sorted", self.milestones)
        if len(gammas) > 1 and len(gammas) != len(times) and not isinstance(self.milestones, Range):
            refuse("MultiStep", "gamma", f"one number or one per milestone ({len(times)})", self.gamma)

    def at(self, clock: Clock) -> Tensor:
        scale = one = torch.ones_like(clock.step)
        times, gammas = _columns(self.milestones), _columns(self.gamma)
        # One factor after the other: a reduction's order, hence its bits, could depend on how long the lists
        # are.
        for time, gamma in zip(times, gammas if len(gammas) > 1 else [gammas[0]] * len(times), strict=True):
            scale = scale * torch.where(clock.epoch >= time, gamma, one)
        return scale


def _columns(values: Any) -> Sequence[Any]:
    """A list field's entries, each a number or (k,)."""
    if isinstance(values, Tensor):
        return values.unbind(-1)
    return values if isinstance(values, tuple) else (values,)


@dataclass(frozen=True)
class Exponential(Fixed):
    """scale = decay_rate ** (t / decay_steps); the exponent is floored when ``staircase``.

    ``decay_steps`` is in updates.

    Source: tf.train.exponential_decay (TensorFlow 1).
    """

    decay_rate: Param = number("(0, 1]", Range(0.05, 0.99, log=True))
    decay_steps: Param = number("(0, inf)", Range(0.1, 1.0, unit="run", native="update"))
    staircase: bool = False

    def at(self, clock: Clock) -> Tensor:
        n = clock.step / self.decay_steps
        scale: Tensor = self.decay_rate ** (torch.floor(n) if self.staircase else n)
        return scale


@dataclass(frozen=True)
class Polynomial(Fixed):
    """scale = (1 - end) * (1 - t/T) ** power + end.

    ``end`` is a fraction of the base learning rate.

    Source: tf.keras.optimizers.schedules.PolynomialDecay; torch.optim.lr_scheduler.PolynomialLR has end 0.
    """

    power: Param = number("[0, inf)", Range(0.5, 3.0))
    end: Param = number("[0, 1]", Range(1e-3, 0.1, log=True, zero_or=True))

    def at(self, clock: Clock) -> Tensor:
        scale: Tensor = (1.0 - self.end) * (1.0 - clock.progress) ** self.power + self.end
        return scale


@dataclass(frozen=True)
class Linear(Fixed):
    """scale = 1 - (1 - end) * t/T: a straight line from 1 to ``end``.

    ``end`` is a fraction of the base learning rate.

    Source: Li et al. 2020; Defazio et al. 2023; Bergsma et al. 2025. (torch's LinearLR is by default a
    warmup.)
    """

    end: Param = number("[0, 1]", 0.0)

    def at(self, clock: Clock) -> Tensor:
        scale: Tensor = 1.0 - (1.0 - self.end) * clock.progress
        return scale


@dataclass(frozen=True)
class Cosine(Fixed):
    """scale = floor + (1 - floor) * (1 + cos(pi * t/T)) / 2.

    ``floor`` is a fraction of the base learning rate.

    Source: Loshchilov & Hutter 2017. torch's CosineAnnealingLR rises again past T_max; this one stays.
    """

    floor: Param = number("[0, 1]", Range(1e-3, 0.1, log=True, zero_or=True))

    def at(self, clock: Clock) -> Tensor:
        falling = (1.0 + torch.cos(math.pi * clock.progress)) / 2.0
        scale: Tensor = self.floor + (1.0 - self.floor) * falling
        return scale
