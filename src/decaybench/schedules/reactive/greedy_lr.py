"""GreedyLR: raise the learning rate after a good run of losses, cut it after a bad one."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number
from decaybench.schedules.reactive.signal import averaged

EPS = 1e-8  # like transformers, ignore a change of the learning rate that is not larger than this


class GreedyState(NamedTuple):
    """Per run: the base learning rate; the scale; the averaged loss and whether there is one; the best averaged loss;
    the numbers of good and bad losses in a row; and how many more to ignore after a cut and after a raise.
    """

    base_lr: Tensor
    current: Tensor
    loss: Tensor
    seen: Tensor
    best: Tensor
    good: Tensor
    bad: Tensor
    cooling: Tensor
    resting: Tensor


@dataclass(frozen=True)
class GreedyLr(Reactive):
    """scale = scale / factor, at most max_scale, after more than ``patience`` losses in a row that were the best so
    far; scale * factor, at least min_scale, after more than ``patience`` in a row that were not.

    A loss is the best so far if L < best - threshold. ``smoothing`` is the weight of the past in a moving average of
    the losses (0: no average). After a cut, ``cooldown`` losses are ignored; after a raise, ``cooldown_up``.
    ``patience`` and both cooldowns count observations: epochs, or updates with signal "batch".

    Pitfalls: ``cooldown_up`` is what transformers and the paper call ``warmup``; here ``warmup`` is the ramp that any
    kind may begin with. transformers averages over a window, and starts again after 500 cuts at its lowest rate; this
    rule does neither. With patience 0 and a noisy batch loss, it cuts far more often than it raises, because few losses
    are the best so far.

    Source: Subramanian & Ganapathiraman 2025, GreedyLR; transformers.optimization.GreedyLR.
    """

    own = ("base_lr", "current")
    domains = MappingProxyType(dict.fromkeys(("good", "bad", "cooling", "resting"), "int [0, inf)"))

    factor: Param = number("(0, 1)", Range(0.5, 0.99))
    patience: Param = number("int [0, inf)", 1)
    smoothing: Param = number("[0, 1)", 0.0)
    cooldown_up: Param = number("int [0, inf)", 0)
    cooldown: Param = number("int [0, inf)", 0)
    min_scale: Param = number("[0, 1]", 1e-3)
    max_scale: Param = number("[1, inf)", 10.0)
    threshold: Param = number("[0, inf)", 1e-6)
    signal: Literal["epoch", "held_out", "batch"] = "epoch"

    example: ClassVar = {"learning_rate": 0.5}  # so that it both raises and cuts

    def init(self, k: int, base_lr: Tensor) -> GreedyState:
        self.require_resolved()
        base = base_lr.to(torch.float64).expand(k)
        zero = torch.zeros_like(base)
        never = torch.zeros_like(base, dtype=torch.bool)
        return GreedyState(base, zero + 1.0, zero, never, zero + torch.inf, zero, zero, zero, zero)

    def observe(self, state: GreedyState, observation: Observation) -> GreedyState:
        loss = averaged(self.smoothing, state.loss, state.seen, observation.loss.to(torch.float64))
        cooling, resting = state.cooling > 0, state.resting > 0  # never both: each begins when neither is
        counts = ~(cooling | resting)
        better = loss < state.best - self.threshold
        good = torch.where(counts & better, state.good + 1.0, 0.0)
        bad = torch.where(counts & ~better, state.bad + 1.0, 0.0)
        up, down = good > self.patience, bad > self.patience
        higher = (state.current / self.factor).clamp(max=self.max_scale)
        lower = (state.current * self.factor).clamp(min=self.min_scale)
        moves_up = up & (state.base_lr * (higher - state.current) > EPS)
        moves_down = down & (state.base_lr * (state.current - lower) > EPS)
        return GreedyState(
            state.base_lr,
            torch.where(moves_up, higher, torch.where(moves_down, lower, state.current)),
            loss,
            torch.ones_like(state.seen),
            torch.where(counts & better, loss, state.best),
            torch.where(up, 0.0, good),
            torch.where(down, 0.0, bad),
            torch.where(down, self.cooldown, state.cooling - cooling.double()),
            torch.where(up, self.cooldown_up, state.resting - resting.double()),
        )

    def at(self, state: GreedyState, clock: Clock) -> Tensor:
        return state.current
