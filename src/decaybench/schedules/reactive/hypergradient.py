"""Hypergradient descent: the learning rate itself goes down its own gradient."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number


class HypergradientState(NamedTuple):
    """Per run: the base learning rate, and the learning rate itself."""

    base_lr: Tensor
    rate: Tensor


@dataclass(frozen=True)
class Hypergradient(Reactive):
    """scale = eta / eta0, where eta starts at eta0 and before each update grows by beta * g_t . u_(t-1), kept >= 0.

    u_(t-1) = -dw/d(eta) is what the learning rate multiplied in the update before: its gradient, or with momentum the
    velocity after it, weight decay included. ``beta`` is in squared learning rates per unit of loss.

    With several parameter groups each learning rate goes down its own gradient, that of what it multiplies: groups at
    different learning rates go their own ways, while those at one learning rate (weights with decay and biases without,
    say) share it as if they were one group.

    Traps: the sign: u points downhill, so gradients that agree with the last update make the learning rate grow. With
    momentum u is the velocity and not the last gradient. A beta that is too large makes eta explode within a few
    updates; one that is too small is a constant learning rate.

    Source: Baydin et al. 2018, Online learning rate adaptation with hypergradient descent (SGD-HD, SGDN-HD).
    """

    observes = ("grad_dot_previous",)
    own = ("base_lr", "rate")

    beta: Param = number("[0, inf)", Range(1e-7, 1e-2, log=True))

    example: ClassVar = {"learning_rate": 0.05, "beta": 0.01}  # too low to begin with, and quick to notice

    def init(self, k: int, base_lr: Tensor) -> HypergradientState:
        self.require_resolved()
        base = base_lr.to(torch.float64).expand(k)
        return HypergradientState(base, base)

    def observe(self, state: HypergradientState, observation: Observation) -> HypergradientState:
        moved = state.rate + self.beta * observation.product("grad_dot_previous")
        kept = (moved / state.base_lr).isfinite()  # before the clamp: it makes 0 of -inf
        return HypergradientState(state.base_lr, torch.where(kept, moved.clamp(min=0.0), state.rate))

    def at(self, state: HypergradientState, clock: Clock) -> Tensor:
        return state.rate / state.base_lr
