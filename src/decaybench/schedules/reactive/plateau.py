"""Reduce on plateau, as in torch and as in Keras: one epoch apart, and with different cooldowns."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number

TORCH_EPS = 1e-8  # like torch, ignore a change of the learning rate that is not larger than this


class PlateauState(NamedTuple):
    """Per run: base learning rate, scale, best loss, epochs since it improved, epochs of cooldown left."""

    base_lr: Tensor
    current: Tensor
    best: Tensor
    bad: Tensor
    cooling: Tensor


@dataclass(frozen=True)
class ReduceOnPlateau(Reactive):
    """scale = scale * factor, not below min_scale, after ``patience`` epochs without improvement.

    ``convention="torch"`` cuts after more than ``patience`` bad epochs; by default, an improvement means L < best *
    (1 - threshold). ``"keras"`` cuts after ``patience`` bad epochs; by default, an improvement means L < best -
    threshold. ``threshold_mode`` ("rel" or "abs") overrides that default. ``patience`` and ``cooldown`` are in epochs;
    ``min_scale`` is min_lr / base lr. ``signal`` is the epoch's mean training loss or the signal split's loss
    (held_out). In your own loop, ``mode="max"`` watches a metric that should rise, such as the accuracy: an improvement
    is then more than best * (1 + threshold) or best + threshold.

    Pitfalls: with equal numbers the two conventions cut one epoch apart, their thresholds mean different things, and
    torch's cooldown ignores bad epochs that Keras counts. In a short run a large patience never cuts. A relative
    threshold suits values above 0 only: below 0 it accepts slightly worse values as better, and at 0 it accepts any
    improvement; use ``threshold_mode="abs"`` there. With mode "min", a rising metric is cut as if it never improved.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau; keras.callbacks.ReduceLROnPlateau.
    """

    own = ("base_lr", "current")
    loop_only = ("mode",)
    domains = MappingProxyType({"bad": "int [0, inf)", "cooling": "int [0, inf)"})

    factor: Param = number("(0, 1)", Range(0.1, 0.7))
    patience: Param = number("int [0, inf)", Range(1, 3, int=True, unit="epoch", native="epoch"))
    threshold: Param = number("[0, inf)", 1e-4)
    threshold_mode: Literal[None, "rel", "abs"] = None
    cooldown: Param = number("int [0, inf)", Range(0, 3, int=True, unit="epoch", native="epoch"))
    min_scale: Param = number("[0, 1]", 0.0)
    convention: Literal["torch", "keras"] = "torch"
    signal: Literal["epoch", "held_out"] = "epoch"
    mode: Literal["min", "max"] = "min"

    example: ClassVar = {"learning_rate": 1.0, "patience": 1}  # noisy enough for plateaus

    @classmethod
    def range_of(cls, name: str, *, epochs: int, options: Mapping[str, Any] | None = None) -> Range | None:
        searched = super().range_of(name, epochs=epochs, options=options)
        if name == "patience" and searched is not None:
            return replace(searched, high=max(3, epochs // 5))  # 20% of the epochs
        return searched

    def init(self, k: int, base_lr: Tensor) -> PlateauState:
        self.require_resolved()
        base = base_lr.to(torch.float64).expand(k)
        zero = torch.zeros_like(base)
        worst = torch.inf if self.mode == "min" else -torch.inf
        return PlateauState(base, zero + 1.0, zero + worst, zero, zero)

    def observe(self, state: PlateauState, observation: Observation) -> PlateauState:
        loss = observation.loss.to(torch.float64)
        relative = (self.threshold_mode or {"torch": "rel", "keras": "abs"}[self.convention]) == "rel"
        margin = -self.threshold if self.mode == "min" else self.threshold
        wanted = state.best * (1.0 + margin) if relative else state.best + margin
        better = loss < wanted if self.mode == "min" else loss > wanted
        best = torch.where(better, loss, state.best)
        lower = torch.clamp(state.current * self.factor, min=self.min_scale)
        resting = state.cooling > 0
        cooling = torch.where(resting, state.cooling - 1.0, state.cooling)
        bad = torch.where(better, 0.0, state.bad + 1.0)
        if self.convention == "torch":
            bad = torch.where(resting, 0.0, bad)
            cut = bad > self.patience
            moves = cut & (state.base_lr * (state.current - lower) > TORCH_EPS)
        else:  # the epoch that ends a cooldown already counts
            bad = torch.where(resting, torch.where(better | (cooling > 0), 0.0, 1.0), bad)
            cut = ~better & (cooling <= 0) & (bad >= self.patience) & (state.current > self.min_scale)
            moves = cut
        return PlateauState(
            state.base_lr,
            torch.where(moves, lower, state.current),
            best,
            torch.where(cut, 0.0, bad),
            torch.where(cut, self.cooldown, cooling),
        )

    def at(self, state: PlateauState, clock: Clock) -> Tensor:
        return state.current
