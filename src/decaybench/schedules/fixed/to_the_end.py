"""Schedules that fall until the end of the run. t: updates made, of T."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, Range, number


@dataclass(frozen=True)
class Polynomial(Fixed):
    """scale = (1 - end) * (1 - t/T) ** power + end.

    ``end`` is a fraction of the base learning rate.

    Pitfalls: it ends at ``end`` only if the run's length is given correctly. Power 1 is linear; a power below 1 falls
    late.

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

    Pitfalls: torch's LinearLR is a warmup by default. The last update still has 1/T of the base learning rate: 0 is
    reached only when the run is over.

    Source: Li et al. 2020; Defazio et al. 2023; Bergsma et al. 2025.
    """

    end: Param = number("[0, 1]", 0.0)

    def at(self, clock: Clock) -> Tensor:
        scale: Tensor = 1.0 - (1.0 - self.end) * clock.progress
        return scale


@dataclass(frozen=True)
class Cosine(Fixed):
    """scale = floor + (1 - floor) * (1 + cos(pi * t/T)) / 2.

    ``floor`` is a fraction of the base learning rate.

    Pitfalls: torch's CosineAnnealingLR rises again after T_max; this one stays at its floor.

    Source: Loshchilov & Hutter 2017.
    """

    floor: Param = number("[0, 1]", Range(1e-3, 0.1, log=True, zero_or=True))

    def at(self, clock: Clock) -> Tensor:
        falling = (1.0 + torch.cos(math.pi * clock.progress)) / 2.0
        scale: Tensor = self.floor + (1.0 - self.floor) * falling
        return scale


@dataclass(frozen=True)
class Rex(Fixed):
    """scale = (1 - s) / (0.5 + 0.5 * (1 - s)), s = t/T: between linear and constant, falling fast at the end.

    Pitfalls: some ports have 0.1 + 0.9 * z in the denominator, which is not REX. It is 2/3 half-way and 0.1818 at s =
    0.9.

    Source: Chen et al. 2021, REX: revisiting budgeted training.
    """

    def at(self, clock: Clock) -> Tensor:
        left = 1.0 - clock.progress
        scale: Tensor = left / (0.5 + 0.5 * left)
        return scale


@dataclass(frozen=True)
class Wsd(Fixed):
    """scale = 1, then down to 0 over the last ``decay_fraction`` of the run: linearly, or as 1 - sqrt of the decay's
    elapsed fraction (shape "sqrt").

    Also called the trapezoid; with ``warmup``, warmup-stable-decay.

    Pitfalls: most of the gain comes during the decay, so a curve that is cut off before it looks worse than it is. With
    "sqrt" the decay begins steeply.

    Source: Zhai et al. 2022; Hu et al. 2024, MiniCPM (WSD); Haegele et al. 2024 (1 - sqrt).
    """

    decay_fraction: Param = number("(0, 1]", Range(0.05, 0.5))
    shape: Literal["linear", "sqrt"] = "linear"

    def at(self, clock: Clock) -> Tensor:
        left = ((clock.total_steps - clock.step) / (self.decay_fraction * clock.total_steps)).clamp(max=1.0)
        return left if self.shape == "linear" else 1.0 - torch.sqrt(1.0 - left)
