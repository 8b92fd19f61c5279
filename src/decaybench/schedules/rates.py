"""`Rates`: the learning rates of one training, from one schedule and the base learning rate of each parameter group."""

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
    """A schedule over ``base_lrs`` (G,) at update ``step``. It is immutable: each event returns a new one.

    A group with base learning rate 0 is frozen and stays at 0. ``observations`` counts the losses observed. Create one
    with `begin`.
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
        """The rates before the first update. Raises ValueError like `Bank`, and TypeError if it is not a schedule."""
        if not isinstance(schedule, Schedule):
            raise TypeError(f"schedule must be a schedule, such as SCHEDULES['linear'](), got {schedule!r}")
        total = whole_number("total_steps", total_steps, 1)
        steps = whole_number("steps_per_epoch", steps_per_epoch, 1)
        known = torch.tensor([base or 1.0 for base in base_lrs], dtype=torch.float64)  # a frozen group may have any
        bank = Bank([schedule] * len(base_lrs), known, total, steps)
        return Rates(schedule, tuple(base_lrs), total, steps, bank, bank.init())

    def now(self) -> list[float]:
        """The current learning rate of each group, (G,)."""
        scales = self.bank.scale(self.state, self.step).tolist()
        return [base * scale if base else 0.0 for base, scale in zip(self.base_lrs, scales, strict=True)]

    def at(self, step: int) -> "Rates":
        """The same schedule at another update.

        Raises RuntimeError if a reactive rule has never observed a loss, as it would silently be constant. Update 0
        needs no observation.
        """
        if step > 0 and isinstance(self.schedule, Reactive) and not self.observations:
            kind = self.schedule.kind
            if self.schedule.when == "update":
                raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) before optimizer.step()")
            if self.step >= self.steps_per_epoch:
                raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) once, at the end of each epoch")
        return replace(self, step=step)

    def observed(self, loss: float, products: Mapping[str, Sequence[float]] = MappingProxyType({})) -> "Rates":
        """The rates after observing ``loss`` and the products of gradients that the rule observes, each (G,).

        An update rule ignores a loss or products that are not finite, because a gradient scaler skips such an update.
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
        """The rates of other groups: group i was group ``kept[i]``, or is new (None).

        A new group starts from its own base learning rate and shares what the rule has observed.
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
        """The rule's state: a NamedTuple of (G,) tensors."""
        (state,) = self.state
        return type(state)(*(values[: len(self.base_lrs)] for values in state))

    def with_rows(self, rows: Mapping[str, torch.Tensor]) -> "Rates":
        """The same rates with the state ``rows``: a (G,) tensor for each of the state's fields."""
        (state,), groups = self.state, len(self.base_lrs)
        padded = torch.tensor([*range(groups), *[0] * (-groups % LANES)])
        return replace(self, state=(type(state)(**{name: values[padded] for name, values in rows.items()}),))
