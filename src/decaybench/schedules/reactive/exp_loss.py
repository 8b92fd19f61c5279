"""Learning rates that are an exponential of the loss: the loss itself, or against its first value."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number


class ExpLossState(NamedTuple):
    """Per run: the loss (as ``signal`` says), whether one was seen, its scale, how often that was capped."""

    loss: Tensor
    seen: Tensor
    current: Tensor
    capped: Tensor


@dataclass(frozen=True)
class ExpLoss(Reactive):
    """scale = min(exp(gain * L), max_scale), from the base learning rate each time: it never compounds.

    ``signal`` says what L is: the update's loss (batch), its moving average weighing the past by
    ``smoothing`` (ema), the epoch's mean loss (epoch) or the signal split's (held_out). A loss that is not
    finite gives max_scale. The state counts in ``capped`` the observations, one an update or one an epoch,
    whose scale was capped.

    Source: eta = eta0 * exp(loss), the rule of this project's question; well-known callbacks multiply the old
    rate instead.
    """

    learning_rate = Range(1e-4, 0.1, log=True)

    gain: Param = number("[0, inf)", 1.0, search=Range(0.1, 2.0, log=True))
    signal: Literal["batch", "ema", "epoch", "held_out"] = "batch"
    max_scale: Param = number("(0, inf)", 1000.0)
    smoothing: Param = number("[0, 1)", 0.9)

    def init(self, k: int, base_lr: Tensor) -> ExpLossState:
        self.require_resolved()
        zero = torch.zeros(k, dtype=torch.float64, device=base_lr.device)
        return ExpLossState(zero, torch.zeros_like(zero, dtype=torch.bool), zero + 1.0, zero)

    def observe(self, state: ExpLossState, observation: Observation) -> ExpLossState:
        loss = _signalled(self, state.loss, state.seen, observation)
        raw = torch.exp(self.gain * loss)
        over = ~(torch.isfinite(loss) & (raw <= self.max_scale))  # so written, NaN is over too
        current = torch.where(over, self.max_scale, raw)
        return ExpLossState(loss, torch.ones_like(state.seen), current, state.capped + over)

    def at(self, state: ExpLossState, clock: Clock) -> Tensor:
        return state.current


class ExpLossRelativeState(NamedTuple):
    """Per run: the first loss, the loss now (as ``signal`` says), whether one was seen, and their scale."""

    first: Tensor
    loss: Tensor
    seen: Tensor
    current: Tensor


@dataclass(frozen=True)
class ExpLossRelative(Reactive):
    """scale = exp(gain * (L - L0)) within [floor, 1], L0 being the first L observed.

    It starts at the base learning rate; the scale is a power of the perplexity's ratio. ``signal`` and
    ``smoothing`` as in exp_loss. A loss that is not finite gives 1.

    Source: this project.
    """

    gain: Param = number("[0, inf)", Range(0.1, 4.0, log=True))
    floor: Param = number("[0, 1]", 0.0)
    signal: Literal["batch", "ema", "epoch", "held_out"] = "batch"
    smoothing: Param = number("[0, 1)", 0.9)

    def init(self, k: int, base_lr: Tensor) -> ExpLossRelativeState:
        self.require_resolved()
        zero = torch.zeros(k, dtype=torch.float64, device=base_lr.device)
        return ExpLossRelativeState(zero, zero, torch.zeros_like(zero, dtype=torch.bool), zero + 1.0)

    def observe(self, state: ExpLossRelativeState, observation: Observation) -> ExpLossRelativeState:
        loss = _signalled(self, state.loss, state.seen, observation)
        first = torch.where(state.seen, state.first, loss)
        raw = torch.exp(self.gain * (loss - first)).clamp(max=1.0)
        within = torch.clamp(raw, min=self.floor)
        known = torch.isfinite(loss) & torch.isfinite(first)
        return ExpLossRelativeState(first, loss, torch.ones_like(state.seen), torch.where(known, within, 1.0))

    def at(self, state: ExpLossRelativeState, clock: Clock) -> Tensor:
        return state.current


def _signalled(rule: Any, loss: Tensor, seen: Tensor, observation: Observation) -> Tensor:
    """The loss that the rule's ``signal`` speaks of; a moving average starts at the first loss."""
    new = observation.loss.to(torch.float64)
    if rule.signal != "ema":
        return new
    return torch.where(seen, rule.smoothing * loss + (1.0 - rule.smoothing) * new, new)
