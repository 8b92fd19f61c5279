"""Schedules that drop at certain epochs. e: epoch, from 0."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, Range, number
from decaybench.schedules.validation import refuse


@dataclass(frozen=True)
class StepDecay(Fixed):
    """scale = drop ** floor((e + offset) / epochs_drop).

    ``epochs_drop`` is in epochs. ``offset=1`` gives the callback that circulates among Keras users, which drops one
    epoch earlier than the formula.

    Pitfalls: the formula has offset 0, but the widespread callback uses floor((1 + e) / epochs_drop), so its drops come
    one epoch earlier.

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
    """scale = product of gamma over the milestones passed; a milestone is passed once e >= milestone.

    ``milestones`` is a sorted list in epochs; ``gamma`` is one number, or a list with one per milestone.

    Pitfalls: milestones are epochs, counted from 0, and take effect at the epoch's first update. TensorFlow's
    PiecewiseConstantDecay counts updates and keeps the old value AT a boundary: to reproduce it, use steps_per_epoch 1
    and milestones of boundary + 1.

    Source: torch.optim.lr_scheduler.MultiStepLR.
    """

    milestones: Param = number("[0, inf)", Range(0.3, 0.9, unit="run", native="epoch", count=(1, 3)), pad=math.inf)
    gamma: Param = number("(0, 1]", Range(choices=(0.1, 0.2, 0.5)), pad=1.0)

    example: ClassVar = {"milestones": (10, 15)}  # whole epochs

    def __post_init__(self) -> None:
        super().__post_init__()
        times, gammas = _columns(self.milestones), _columns(self.gamma)
        for earlier, later in pairwise(times):
            if not torch.as_tensor(earlier <= later).all():
                refuse("MultiStep", "milestones", "sorted", self.milestones)
        listed = isinstance(self.gamma, tuple)
        if listed and len(gammas) != len(times) and not isinstance(self.milestones, Range):
            refuse("MultiStep", "gamma", f"one number or one per milestone ({len(times)})", self.gamma)

    def at(self, clock: Clock) -> Tensor:
        scale = one = torch.ones_like(clock.step)
        times, gammas = _columns(self.milestones), _columns(self.gamma)
        # Multiply one factor after the other: a reduction's order, and so its bits, could depend on the lists' length.
        for time, gamma in zip(times, gammas if len(gammas) > 1 else [gammas[0]] * len(times), strict=True):
            scale = scale * torch.where(clock.epoch >= time, gamma, one)
        return scale


def _columns(values: Any) -> Sequence[Any]:
    """The entries of a list field, each a number or a (k,) tensor."""
    if isinstance(values, Tensor):
        return values.unbind(-1)
    return values if isinstance(values, tuple) else (values,)
