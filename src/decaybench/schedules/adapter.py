"""Any schedule as the scheduler of a torch optimizer."""

import operator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from decaybench.schedules.bank import Bank, BankState
from decaybench.schedules.base import Observation, Reactive, Schedule
from decaybench.schedules.gradients import check_optimizer, products


class TorchScheduler:
    """Drives an optimizer's learning rates: each group's own (as constructed: its base) times the scale.

    Per update: ``loss.backward(); sched.observe(loss); optimizer.step(); sched.step()``. An update rule sets
    this update's own learning rate in ``observe``; an epoch rule is shown each epoch's loss once, at its end;
    a fixed schedule needs no ``observe``. Rules that know absolute learning rates go by the first group's. Rules that
    look at gradients read them from the parameters in ``observe``: once an update, after ``backward`` (and after
    ``scaler.unscale_(optimizer)``, if there is a gradient scaler); they are for torch.optim.SGD. Raises ValueError as
    Bank does and for an optimizer that the rule cannot follow, and RuntimeError when a reactive rule was never shown a
    loss, or one that looks at gradients finds none.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        self.optimizer = optimizer
        self.schedule = schedule
        self.base_lrs = [float(group["lr"]) for group in optimizer.param_groups]
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._bank = self._make_bank()
        self._state: BankState = self._bank.init()
        self._step = self._heard = 0
        self._directions: list[Tensor] = []
        if self._bank.observes:
            check_optimizer(optimizer, schedule.kind)
        self._apply()

    def _make_bank(self) -> Bank:
        first = torch.tensor(self.base_lrs[:1], dtype=torch.float64)
        return Bank([self.schedule], first, self._total_steps, self._steps_per_epoch)

    def observe(self, loss: float | Tensor) -> None:
        """Show the rule a loss (one number), and set the learning rates that follow from it."""
        if not isinstance(self.schedule, Reactive):
            return
        value = loss.detach() if isinstance(loss, Tensor) else loss
        seen = torch.tensor([float(value)], dtype=torch.float64)
        self._heard += 1
        if self.schedule.when == "update":
            measured, self._directions = products(self.optimizer, self._bank.observes, self._directions, self.base_lrs)
            self._state = self._bank.observe_update(self._state, Observation(seen, measured))
        else:
            self._state = self._bank.observe_epoch(self._state, seen, seen)
        self._apply()

    def step(self, t: int | None = None) -> None:
        """Count one update, or take a counter ``t`` handed in; the learning rates are then step t's."""
        try:
            step = self._step + 1 if t is None else operator.index(t)
        except TypeError:
            step = -1
        if isinstance(t, bool) or step < 0:
            raise ValueError(f"step must be a whole number of updates from 0, got {t!r}")
        self._require_heard()
        self._step = step
        self._apply()

    def _require_heard(self) -> None:
        """A reactive rule that is shown no loss would silently be a constant one."""
        if not isinstance(self.schedule, Reactive) or self._heard:
            return
        kind, when = self.schedule.kind, self.schedule.when
        if when == "update":
            raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) before optimizer.step()")
        if self._step >= self._steps_per_epoch:
            raise RuntimeError(f"{kind} reacts to the loss: call observe(loss) once, at the end of every epoch")

    @property
    def state(self) -> Any:
        """What the rule remembers, a NamedTuple of (1,) tensors: exp_loss counts in ``capped`` what it capped."""
        (group,) = self._state
        return type(group)(*(tensor[:1] for tensor in group))

    def get_last_lr(self) -> list[float]:
        """The learning rate of each parameter group."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly from here, with an equal schedule."""
        return {
            "kind": self.schedule.kind,
            "step": self._step,
            "heard": self._heard,
            "base_lrs": list(self.base_lrs),
            "state": [[tensor.clone() for tensor in group] for group in self._state],
            "directions": [tensor.clone() for tensor in self._directions],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``state_dict``. Raises ValueError if it belongs to another kind or to other parameter groups."""
        if state_dict["kind"] != self.schedule.kind:
            raise ValueError(f"kind must be {self.schedule.kind}, as of this schedule, got {state_dict['kind']}")
        if len(state_dict["base_lrs"]) != len(self.optimizer.param_groups):
            raise ValueError(
                f"base_lrs must be one per parameter group ({len(self.optimizer.param_groups)}), "
                f"got {len(state_dict['base_lrs'])}"
            )
        self.base_lrs = list(state_dict["base_lrs"])
        self._bank = self._make_bank()
        self._state = tuple(
            type(group)(*(tensor.clone() for tensor in saved))
            for group, saved in zip(self._bank.init(), state_dict["state"], strict=True)
        )
        self._directions = [tensor.clone() for tensor in state_dict["directions"]]
        self._step, self._heard = state_dict["step"], state_dict["heard"]
        self._apply()

    def _apply(self) -> None:
        scale = self._bank.scale(self._state, self._step).item()
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(base * scale)
            else:
                group["lr"] = base * scale
