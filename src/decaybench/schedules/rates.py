"""The learning rates of one training: one schedule over the base learning rates of its parameter groups."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import torch

from decaybench.schedules.bank import LANES, Bank, BankState
from decaybench.schedules.base import Observation, Reactive, Schedule
from decaybench.schedules.validation import whole_number


@dataclass(frozen=True, eq=False)
class Rates:
    """A schedule over ``base_lrs`` (G,) at update ``step``: a value, which every event replaces by another.

    A base learning rate of 0 is a group that is frozen: it stays 0. ``observations`` counts the losses shown. Made
    by ``begin``.
    """

    schedule: Schedule
    base_lrs: tuple[float, ...]
    total_steps: int
    steps_per_epoch: int
    bank: Bank
    state: BankState
    step: int = 0
    observations: int = 0

    @staticmethod
    def begin(schedule: Schedule, base_lrs: Sequence[float], total_steps: Any, steps_per_epoch: Any) -> "Rates":
        """Before the first update. Raises ValueError as Bank does, and TypeError for what is not a schedule."""
        if not isinstance(schedule, Schedule):
            raise TypeError(f"schedule must be a schedule, such as SCHEDULES['linear'](), got {schedule!r}")
        total = whole_number("total_steps", total_steps, 1)
        steps = whole_number("steps_per_epoch", steps_per_epoch, 1)
        known = torch.tensor([base or 1.0 for base in base_lrs], dtype=torch.float64)  # a frozen group's matters not
        bank = Bank([schedule] * len(base_lrs), known, total, steps)
        return Rates(schedule, tuple(base_lrs), total, steps, bank, bank.init())

    def now(self) -> list[float]:
        """The learning rate of each group, (G,)."""
        scales = self.bank.scale(self.state, self.step).tolist()
        return [base * scale if base else 0.0 for base, scale in zip(self.base_lrs, scales, strict=True)]

    def at(self, step: int) -> "Rates":
        """The same at another update. Raises RuntimeError where a reactive rule was never shown a loss: it would be a
        constant one, without a word. Update 0 is the beginning, which needs none.
        """
        if step > 0 and isinstance(self.schedule, Reactive) and not self.observations:
            kind = self.schedule.kind
            if self.schedule.when == "update":
                raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) before optimizer.step()")
            if self.step >= self.steps_per_epoch:
                raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) once, at the end of every epoch")
        return replace(self, step=step)

    def observed(self, loss: float, products: Mapping[str, Sequence[float]] = MappingProxyType({})) -> "Rates":
        """Once ``loss`` is known, and each product that the rule observes, (G,).

        An update whose loss or products are not finite is one that a gradient scaler skips: an update rule goes on as
        if it had not been.
        """
        if not isinstance(self.schedule, Reactive):
            return self
        counted = replace(self, observations=self.observations + 1)
        losses = torch.full((len(self.base_lrs),), loss, dtype=torch.float64)
        if self.schedule.when == "epoch":
            return replace(counted, state=self.bank.observe_epoch(self.state, losses, losses))
        if not all(map(math.isfinite, (loss, *(number for values in products.values() for number in values)))):
            return counted
        measured = {name: torch.tensor(values, dtype=torch.float64) for name, values in products.items()}
        return replace(counted, state=self.bank.observe_update(self.state, Observation(losses, measured)))

    def regrouped(self, kept: Sequence[int | None], base_lrs: Sequence[float]) -> "Rates":
        """With other groups: each is ``kept[i]`` of these, or new (None): it starts from its own base learning rate,
        and shares what the rule has seen.
        """
        begun = Rates.begin(self.schedule, base_lrs, self.total_steps, self.steps_per_epoch)
        known = [i for i in kept if i is not None] or [0]
        source = torch.tensor([known[0] if i is None else i for i in kept])
        new = torch.tensor([i is None for i in kept])
        own = self.schedule.own if isinstance(self.schedule, Reactive) else self.rows()._fields
        rows = {
            name: torch.where(new, fresh, old[source]) if name in own else old[source]
            for name, fresh, old in zip(self.rows()._fields, begun.rows(), self.rows(), strict=True)
        }
        return replace(begun.with_rows(rows), step=self.step, observations=self.observations)

    def rows(self) -> Any:
        """What the rule remembers: a NamedTuple of (G,) tensors."""
        (state,) = self.state
        return type(state)(*(values[: len(self.base_lrs)] for values in state))

    def with_rows(self, rows: Mapping[str, torch.Tensor]) -> "Rates":
        """Remembering ``rows``, by the names of the state's fields, each (G,)."""
        (state,), groups = self.state, len(self.base_lrs)
        padded = torch.tensor([*range(groups), *[0] * (-groups % LANES)])
        return replace(self, state=(type(state)(**{name: values[padded] for name, values in rows.items()}),))
