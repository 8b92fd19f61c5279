"""Schedules that count time from the start and ignore the run's length. t: updates made; e: epoch, from 0."""

import sys
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, Range, number


@dataclass(frozen=True)
class Constant(Fixed):
    """scale = 1: no decay, the control of every comparison.

    Pitfalls: none of its own, but its learning rate must be tuned as carefully as that of the decay it is compared
    with.

    Source: plain SGD (Robbins & Monro 1951 with a constant step).
    """

    def at(self, clock: Clock) -> Tensor:
        return torch.ones_like(clock.step)


@dataclass(frozen=True)
class TimeBased(Fixed):
    """scale = 1 / (1 + decay * t), or 1 / (1 + decay * e) with ``per="epoch"``.

    ``decay`` is per update or per epoch, depending on ``per``. Update 0 is not decayed, because Keras reads its counter
    before it increments it.

    Pitfalls: Keras' decay is per UPDATE, but the formula in its documentation is per epoch. With learning rate 0.1,
    decay 0.002 and 50 epochs of 391 updates, the final learning rates of the two readings differ by a factor of 36.

    Source: Keras' SGD(decay=), which decays per update; per epoch, the formula in its documentation.
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

    Pitfalls: ``decay_steps`` is in updates; a value meant in epochs decays far too fast.

    Source: tf.keras.optimizers.schedules.InverseTimeDecay.
    """

    decay_rate: Param = number("[0, inf)", Range(0.1, 100.0, log=True))
    decay_steps: Param = number("(0, inf)", Range(0.05, 0.5, unit="run", native="update"))
    staircase: bool = False

    def at(self, clock: Clock) -> Tensor:
        n = (clock.step / self.decay_steps).clamp(max=sys.float_info.max)  # infinity times a rate of 0 is NaN
        scale: Tensor = 1.0 / (1.0 + self.decay_rate * (torch.floor(n) if self.staircase else n))
        return scale


@dataclass(frozen=True)
class Inv(Fixed):
    """scale = (1 + gamma * t) ** -power.

    ``gamma`` is per update.

    Pitfalls: power 1 is time_based. ``gamma`` is per update, so if the batch size is divided by B, the same value
    decays B times as fast.

    Source: Caffe's lr_policy "inv".
    """

    gamma: Param = number("[0, inf)", Range(1.0, 1000.0, log=True, unit="1/run", native="1/update"))
    power: Param = number("[0, inf)", Range(0.5, 1.0))

    def at(self, clock: Clock) -> Tensor:
        scale: Tensor = (1.0 + self.gamma * clock.step) ** -self.power
        return scale


@dataclass(frozen=True)
class Exponential(Fixed):
    """scale = decay_rate ** (t / decay_steps); the exponent is floored when ``staircase``.

    ``decay_steps`` is in updates.

    Pitfalls: passing epochs instead of updates is the classic silent bug. The "decay_steps = 16" that everybody copies
    is 128 examples / batch 8, which is one EPOCH.

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
class InverseSqrt(Fixed):
    """scale = sqrt(k / max(t, k)), where k is ``timescale``: 1 for the first k updates, then proportional to 1 /
    sqrt(t).

    ``timescale`` is in updates.

    Pitfalls: it never comes near 0, however long the run: a run of 100 timescales ends at a tenth. Ports put a warmup
    of k updates before it and count from the end of the warmup.

    Source: Zhai et al. 2022, Scaling vision transformers; transformers' get_inverse_sqrt_schedule.
    """

    timescale: Param = number("(0, inf)", Range(0.01, 0.1, log=True, unit="run", native="update"))

    def at(self, clock: Clock) -> Tensor:
        time = torch.maximum(clock.step, torch.as_tensor(self.timescale, dtype=torch.float64, device=clock.step.device))
        return torch.sqrt(self.timescale / time)


@dataclass(frozen=True)
class Noam(Fixed):
    """scale = min(((t + 1) / w) ** -0.5, (t + 1) / w), where w is ``warmup_steps``: a linear rise to 1, then
    proportional to 1 / sqrt(t + 1).

    ``warmup_steps`` is in updates.

    Pitfalls: the original multiplies by model_size ** -0.5 and has no base learning rate; here the base learning rate
    is the peak. ``warmup`` would be a second warmup.

    Source: Vaswani et al. 2017, Attention is all you need.
    """

    warmup_steps: Param = number("(0, inf)", Range(0.02, 0.1, log=True, unit="run", native="update"))

    def at(self, clock: Clock) -> Tensor:
        time = (clock.step + 1.0) / self.warmup_steps
        return torch.minimum(1.0 / torch.sqrt(time), time)
