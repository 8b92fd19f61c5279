"""Polyak's step size for a loss with minimum 0: the loss over the squared norm of its gradient."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number

POLYAK_EPS = 1e-8
ALIG_EPS = 1e-5
DOMAINS = MappingProxyType({"current": "[0, 1]", "last": "(0, 1]"})


class PolyakState(NamedTuple):
    """Per run: the base learning rate, which is the cap; and, in units of it, the learning rate and the last learning
    rate above 0.
    """

    base_lr: Tensor
    current: Tensor
    last: Tensor


@dataclass(frozen=True)
class Polyak(Reactive):
    """scale = min(L / (c * |g|^2 + 1e-8), eta0) / eta0: the base learning rate eta0 is the cap.

    L is the update's loss, g its gradient. With ``smoothing`` the learning rate grows by at most a factor of 2 ** (1 /
    updates per epoch) per update, from the last one that was not 0. Several parameter groups take one common step along
    the whole gradient: |g|^2 is that of all groups that move, and each group's base learning rate is its cap.

    Pitfalls: it assumes that the best possible loss is 0, which is too low with label smoothing or noisy labels.
    Momentum multiplies what the rule takes for a whole step: 0.9 makes it ten times as long. With ``smoothing``, one
    batch with a loss near 0 has a long effect, since the rate then doubles only once per epoch.

    Source: Loizou et al. 2021, SPS_max with f* = 0.
    """

    learning_rate = Range(0.01, 10.0, log=True)
    observes = ("grad_norm_sq",)
    own = ("base_lr", "current", "last")
    domains = DOMAINS

    c: Param = number("(0, inf)", Range(0.2, 1.0))
    smoothing: bool = True

    example: ClassVar = {"learning_rate": 10.0}  # a cap that does not always bind

    def init(self, k: int, base_lr: Tensor) -> PolyakState:
        self.require_resolved()
        return _capped(k, base_lr)

    def observe(self, state: PolyakState, observation: Observation) -> PolyakState:
        step = observation.loss / (self.c * observation.product("grad_norm_sq") + POLYAK_EPS)
        if self.smoothing:
            step = torch.minimum(step, state.base_lr * state.last * 2.0 ** (1.0 / observation.steps_per_epoch))
        return _below_cap(state, step)

    def at(self, state: PolyakState, clock: Clock) -> Tensor:
        return state.current


@dataclass(frozen=True)
class Alig(Reactive):
    """scale = min(L / (|g|^2 + 1e-5), eta0) / eta0: the base learning rate eta0 is the cap, and the only parameter to
    tune.

    L is the update's loss, g its gradient. With several parameter groups g is the gradient of all groups that move, and
    each group's base learning rate is its cap, like the authors' ``max_lr`` of a group.

    Pitfalls: it is made for nets that can fit their training examples. The original constrains the norm of the weights
    instead of decaying them, and its Nesterov form has the learning rate inside the velocity: ``velocity = "keras"``.

    Source: Berrada, Zisserman & Kumar 2020, ALI-G.
    """

    learning_rate = Range(0.01, 10.0, log=True)
    observes = ("grad_norm_sq",)
    own = ("base_lr", "current", "last")
    domains = DOMAINS

    example: ClassVar = {"learning_rate": 10.0}

    def init(self, k: int, base_lr: Tensor) -> PolyakState:
        self.require_resolved()
        return _capped(k, base_lr)

    def observe(self, state: PolyakState, observation: Observation) -> PolyakState:
        return _below_cap(state, observation.loss / (observation.product("grad_norm_sq") + ALIG_EPS))

    def at(self, state: PolyakState, clock: Clock) -> Tensor:
        return state.current


def _capped(k: int, base_lr: Tensor) -> PolyakState:
    base = base_lr.to(torch.float64).expand(k)
    return PolyakState(base, torch.ones_like(base), torch.ones_like(base))


def _below_cap(state: PolyakState, step: Tensor) -> PolyakState:
    """The state after this step size; NaN (for example from an infinite loss) gives the cap."""
    scale = torch.where(step.isnan(), 1.0, (step / state.base_lr).clamp(min=0.0, max=1.0))
    return PolyakState(state.base_lr, scale, torch.where(scale > 0, scale, state.last))
