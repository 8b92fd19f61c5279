"""The bold driver: a little faster while the loss falls, much slower once it rises."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number


class BoldDriverState(NamedTuple):
    """Per run: the scale, and the loss of the epoch before (NaN before the first)."""

    current: Tensor
    last: Tensor


@dataclass(frozen=True)
class BoldDriver(Reactive):
    """scale = scale * up, at most max_scale, after an epoch whose loss fell; scale * down after one whose loss rose.

    Each epoch's loss is compared with that of the epoch before. The first epoch, and an equal loss, change nothing.
    ``signal`` is the epoch's mean training loss or the signal split's loss (held_out).

    Pitfalls: the original undoes an update that raised the loss, which a mini-batch run cannot do. Without
    ``max_scale``, a training loss that falls in every epoch would raise the rate without bound.

    Source: Vogl et al. 1988; Battiti 1989.
    """

    own = ("current",)

    up: Param = number("[1, inf)", Range(1.01, 1.1))
    down: Param = number("(0, 1]", Range(0.3, 0.9))
    max_scale: Param = number("[1, inf)", 10.0)
    signal: Literal["epoch", "held_out"] = "epoch"

    example: ClassVar = {"learning_rate": 0.5}  # so that it both raises and cuts

    def init(self, k: int, base_lr: Tensor) -> BoldDriverState:
        self.require_resolved()
        one = torch.ones(k, dtype=torch.float64, device=base_lr.device)
        return BoldDriverState(one, one * torch.nan)

    def observe(self, state: BoldDriverState, observation: Observation) -> BoldDriverState:
        loss, current = observation.loss.to(torch.float64), state.current
        higher = (current * self.up).clamp(max=self.max_scale)
        fell, rose = loss < state.last, loss > state.last  # both false for the NaN before the first epoch
        return BoldDriverState(torch.where(fell, higher, torch.where(rose, current * self.down, current)), loss)

    def at(self, state: BoldDriverState, clock: Clock) -> Tensor:
        return state.current
