"""Hypergradient descent: gradient descent on the learning rate itself."""

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

    u_(t-1) = -dw/d(eta) is what the learning rate multiplied in the previous update: its gradient or, with momentum,
    the velocity after it, including weight decay. ``beta`` is in squared learning rates per unit of loss.

    With several parameter groups each learning rate follows the gradient of what it multiplies: groups with different
    learning rates develop separately, while groups with the same one (weights with decay and biases without, say) share
    it as if they were one group.

    Pitfalls: mind the sign. u points downhill, so the learning rate grows if the gradient agrees with the last update.
    With momentum, u is the velocity and not the last gradient. If beta is too large, eta explodes within a few updates;
    if it is too small, the learning rate stays constant.

    Source: Baydin et al. 2018, Online learning rate adaptation with hypergradient descent (SGD-HD, SGDN-HD).
    """

    observes = ("grad_dot_previous",)
    own = ("base_lr", "rate")

    beta: Param = number("[0, inf)", Range(1e-7, 1e-2, log=True))

    example: ClassVar = {"learning_rate": 0.05, "beta": 0.01}  # too low at first, and quick to adapt

    def init(self, k: int, base_lr: Tensor) -> HypergradientState:
        self.require_resolved()
        base = base_lr.to(torch.float64).expand(k)
        return HypergradientState(base, base)

    def observe(self, state: HypergradientState, observation: Observation) -> HypergradientState:
        moved = state.rate + self.beta * observation.product("grad_dot_previous")
        kept = (moved / state.base_lr).isfinite()  # checked before the clamp, which turns -inf into 0
        return HypergradientState(state.base_lr, torch.where(kept, moved.clamp(min=0.0), state.rate))

    def at(self, state: HypergradientState, clock: Clock) -> Tensor:
        return state.rate / state.base_lr
