"""L4: the step along the update's direction that would take the loss a fraction of the way to its minimum."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number

EPS = 1e-12


class L4State(NamedTuple):
    """Per run: base learning rate, scale, the lowest loss (slowly forgotten) and whether a loss was observed."""

    base_lr: Tensor
    current: Tensor
    least: Tensor
    seen: Tensor


@dataclass(frozen=True)
class L4(Reactive):
    """scale = alpha * (L - gamma * Lmin) / (g . v + 1e-12) / eta0, and 0 for an update where g . v <= 0.

    v is the direction of the update (with SGD, the velocity), so the learning rate does not depend on the base learning
    rate eta0. Lmin starts at ``gamma0`` times the first loss, is the lowest loss after that, and grows by 1 / ``tau``
    of itself per update.

    Several parameter groups take one common step along all their directions, each in proportion to its base learning
    rate. If each group took the loss that fraction of the way by itself, all together would overshoot.

    Pitfalls: momentum may turn v against g; then the update is skipped and only the velocity changes. The learning rate
    has no cap. The paper also averages g; here g is the batch's own. The base learning rate has no effect, so fix it;
    only ``alpha`` matters. With several parameter groups, the ratios of their base learning rates matter.

    Source: Rolinek & Martius 2018, L4.
    """

    observes = ("grad_dot_direction",)
    own = ("base_lr", "current")

    alpha: Param = number("(0, inf)", Range(0.05, 0.3))
    gamma: Param = number("[0, 1]", 0.9)
    gamma0: Param = number("[0, 1]", 0.75)
    tau: Param = number("(0, inf)", 1000.0, unit="update")

    example: ClassVar = {"learning_rate": 1.0, "alpha": 0.05}  # the scale is the learning rate itself

    def init(self, k: int, base_lr: Tensor) -> L4State:
        self.require_resolved()
        base = base_lr.to(torch.float64).expand(k)
        zero = torch.zeros_like(base)
        return L4State(base, zero + 1.0, zero, torch.zeros_like(base, dtype=torch.bool))

    def observe(self, state: L4State, observation: Observation) -> L4State:
        loss, slope = observation.loss, observation.product("grad_dot_direction")
        least = torch.where(state.seen, torch.minimum(state.least, loss), self.gamma0 * loss)
        scale = self.alpha * (loss - self.gamma * least) / (slope + EPS) / state.base_lr
        scale = torch.where((slope > 0) & (scale > 0) & scale.isfinite(), scale, 0.0)
        known = loss.isfinite()  # one broken batch must not stay the lowest loss forever
        least = torch.where(known, least * (1.0 + 1.0 / self.tau), state.least)
        return L4State(state.base_lr, scale, least, state.seen | known)

    def at(self, state: L4State, clock: Clock) -> Tensor:
        return state.current
