"""Learning rates that follow the loss: its exponential, that of its change, or a power of its ratio to the first."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Observation, Param, Range, Reactive, number
from decaybench.schedules.reactive.signal import signalled


class ExpLossState(NamedTuple):
    """Per run: the loss (chosen by ``signal``), whether one was observed, its scale, and how often that was capped."""

    loss: Tensor
    seen: Tensor
    current: Tensor
    capped: Tensor


@dataclass(frozen=True)
class ExpLoss(Reactive):
    """scale = min(exp(gain * L), max_scale), from the base learning rate each time: it never compounds.

    ``signal`` chooses L: the update's loss (batch), its moving average, in which ``smoothing`` is the weight of the
    past (ema), the epoch's mean loss (epoch) or the signal split's loss (held_out). A loss that is not finite gives
    max_scale. In your own loop, an update with such a loss counts as skipped, and its loss is ignored. The state's
    ``capped`` counts the observations (one per update or one per epoch) whose scale was capped.

    Pitfalls: the well-known callback that multiplies the OLD rate by exp(loss) compounds and explodes; this rule starts
    from the base learning rate each time. With C classes the loss begins at ln C, so the rate begins at about C ** gain
    times the base learning rate (10 classes: 10 times). The loss is that without the L2 term: with it, a net could
    start at 35 times the base learning rate.

    Source: eta = eta0 * exp(loss), the rule behind this project's question; well-known callbacks multiply the old
    rate instead.
    """

    learning_rate = Range(1e-4, 0.1, log=True)
    domains = MappingProxyType({"capped": "int [0, inf)"})

    gain: Param = number("[0, inf)", 1.0, search=Range(0.1, 2.0, log=True))
    signal: Literal["batch", "ema", "epoch", "held_out"] = "batch"
    max_scale: Param = number("(0, inf)", 1000.0)
    smoothing: Param = number("[0, 1)", 0.9)

    # The rule as in its source; its scale starts at about 5, since the example has 5 classes.
    example: ClassVar = {"learning_rate": 0.05, "gain": 1}

    def init(self, k: int, base_lr: Tensor) -> ExpLossState:
        self.require_resolved()
        zero = torch.zeros(k, dtype=torch.float64, device=base_lr.device)
        return ExpLossState(zero, torch.zeros_like(zero, dtype=torch.bool), zero + 1.0, zero)

    def observe(self, state: ExpLossState, observation: Observation) -> ExpLossState:
        loss = signalled(self, state.loss, state.seen, observation)
        raw = torch.exp(self.gain * loss)
        over = ~(torch.isfinite(loss) & (raw <= self.max_scale))  # written so that NaN counts as over, too
        current = torch.where(over, self.max_scale, raw)
        return ExpLossState(loss, torch.ones_like(state.seen), current, state.capped + over)

    def at(self, state: ExpLossState, clock: Clock) -> Tensor:
        return state.current


class RelativeState(NamedTuple):
    """Per run: the first loss, the current loss (chosen by ``signal``), whether one was observed, and the scale."""

    first: Tensor
    loss: Tensor
    seen: Tensor
    current: Tensor


class _Relative(Reactive):
    """Base class of the rules that compare the loss with the first one. The scale starts at 1 and is in [floor, 1]."""

    def init(self, k: int, base_lr: Tensor) -> RelativeState:
        self.require_resolved()
        zero = torch.zeros(k, dtype=torch.float64, device=base_lr.device)
        return RelativeState(zero, zero, torch.zeros_like(zero, dtype=torch.bool), zero + 1.0)

    def observe(self, state: RelativeState, observation: Observation) -> RelativeState:
        rule: Any = self
        loss = signalled(rule, state.loss, state.seen, observation)
        first = torch.where(state.seen, state.first, loss)
        within = torch.clamp(rule.against(loss, first).clamp(max=1.0), min=rule.floor)
        finite = torch.isfinite(loss)  # a first loss that is not finite must not be the reference for all others
        known = finite & torch.isfinite(first) & ~torch.isnan(within)
        current = torch.where(known, within, 1.0)
        return RelativeState(torch.where(finite, first, state.first), loss, state.seen | finite, current)

    def at(self, state: RelativeState, clock: Clock) -> Tensor:
        return state.current


@dataclass(frozen=True)
class ExpLossRelative(_Relative):
    """scale = exp(gain * (L - L0)) within [floor, 1], where L0 is the first L observed.

    It starts at the base learning rate; the scale is a power of the ratio of perplexities. ``signal`` and ``smoothing``
    are as in exp_loss. A loss that is not finite gives 1.

    Pitfalls: with signal "batch" everything depends on the first batch's loss, and the rate is as noisy as the loss.
    Once the loss has fallen by 1, exp(-gain) of the base learning rate is left.

    Source: this project.
    """

    gain: Param = number("[0, inf)", Range(0.1, 4.0, log=True))
    floor: Param = number("[0, 1]", 0.0)
    signal: Literal["batch", "ema", "epoch", "held_out"] = "batch"
    smoothing: Param = number("[0, 1)", 0.9)

    def against(self, loss: Tensor, first: Tensor) -> Tensor:
        """The scale (k,) before its limits."""
        return torch.exp(self.gain * (loss - first))


@dataclass(frozen=True)
class LossRatio(_Relative):
    """scale = (L / L0) ** power within [floor, 1], where L0 is the first L observed.

    It starts at the base learning rate and falls with the loss. ``signal`` and ``smoothing`` are as in exp_loss. A loss
    that is not finite, or a first loss of 0, gives 1.

    Pitfalls: with signal "batch" everything depends on the first batch's loss. A power above 1 falls faster than the
    loss: a net that fits its training examples stops learning unless ``floor`` keeps it moving.

    Source: this project.
    """

    power: Param = number("[0, inf)", Range(0.25, 2.0))
    floor: Param = number("[0, 1]", 0.0)
    signal: Literal["batch", "ema", "epoch", "held_out"] = "batch"
    smoothing: Param = number("[0, 1)", 0.9)

    def against(self, loss: Tensor, first: Tensor) -> Tensor:
        """The scale (k,) before its limits; 0 / 0 is NaN."""
        scale: Tensor = (loss / first).clamp(min=0.0) ** self.power
        return scale
