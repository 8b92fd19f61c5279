"""`TorchScheduler`: any schedule as the scheduler of a torch optimizer."""

import weakref
from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from decaybench.schedules.base import Reactive, Schedule
from decaybench.schedules.checkpoint import KEYS, pack, require, tensor_like, unpack
from decaybench.schedules.gradients import check_optimizer, products
from decaybench.schedules.groups import Group, assign, holds, innermost, look, unchanged
from decaybench.schedules.order import Watch
from decaybench.schedules.rates import Rates
from decaybench.schedules.validation import one_number, short, whole_number


class TorchScheduler(LRScheduler):
    """Sets the learning rate of each parameter group to its own base learning rate times the schedule's scale.

    Call per update: ``loss.backward(); scheduler.observe(loss); optimizer.step(); scheduler.step()``. An update rule
    sets the learning rate of this very update in ``observe``. For an epoch rule, call ``observe`` once per epoch, at
    its end. A fixed schedule needs no ``observe``. With gradient accumulation, call ``observe`` (with the mean loss)
    and ``step`` once for all micro-batches of an update.

    If a gradient scaler skipped the update, skip ``step`` too; an update rule ignores a loss, or products of gradients,
    that are not finite.

    Missing, extra and misplaced calls give a UserWarning, at most one for each kind of fault. So do more updates than
    ``total_steps``, and a warmup longer than that.

    As with torch's own schedulers, a group's base learning rate is its ``initial_lr`` if it has one; otherwise it is
    its ``lr``, which is then saved as ``initial_lr``. So a second scheduler, or one on an optimizer that was saved in
    mid-run, starts from the base learning rate rather than from the current one (to prevent this, delete
    ``initial_lr``). A group whose learning rate is 0 is frozen and stays frozen. A group that is added later starts
    from its own base learning rate at the schedule's current time, and shares what the rule has observed.

    Rules that look at gradients read them from the parameters in ``observe``: call it after ``backward``, and after
    ``scaler.unscale_(optimizer)`` if there is a gradient scaler. They need torch.optim.SGD, which accelerate may wrap.

    Raises:
        TypeError: ``optimizer`` is not an optimizer, or ``schedule`` is not a schedule.
        ValueError: the schedule contains a Range; a size is not a whole number from 1; a learning rate is negative or
            not finite, or all are 0; or the rule cannot follow the optimizer.
        RuntimeError: a reactive rule never observed a loss, or one that looks at gradients found none.

    A call that raises changes nothing.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        # LRScheduler.__init__ is not called: it would replace optimizer.step to count updates. A hook counts here,
        # which is not lost if another scheduler replaces optimizer.step.
        inner = innermost(optimizer)
        groups, _ = look(inner)
        rates = Rates.begin(schedule, [group.base_lr for group in groups], total_steps, steps_per_epoch)
        if rates.bank.observes:
            check_optimizer(inner, schedule.kind)
        self.optimizer, self.schedule = optimizer, schedule
        self._directions: dict[Tensor, Tensor] = {}
        self._step_count = 1  # accelerate increments it
        self._watch = Watch(schedule, rates.total_steps, rates.steps_per_epoch)
        self._waiting = False  # whether another scheduler of a SequentialLR is active
        self._listen()
        self._apply(rates, groups)

    @property
    def base_lrs(self) -> list[float | Tensor]:  # type: ignore[override]  # torch's is an attribute, to be assigned
        """The base learning rate of each parameter group."""
        return list(self._followed()[0].base_lrs)

    @property
    def last_epoch(self) -> int:
        """The number of updates made, by torch's name for what a scheduler counts."""
        return self._rates.step

    @last_epoch.setter
    def last_epoch(self, value: int) -> None:
        """Set the number of updates. SequentialLR sets -1 to undo a scheduler's initial step; this one then waits."""
        self._waiting = self._watch.in_sequence = value < 0
        self._rates: Rates = replace(self._rates, step=max(value, 0))

    @property
    def state(self) -> Any:
        """The rule's state, a NamedTuple of (groups,) tensors; for example, exp_loss counts in ``capped``."""
        return self._followed()[0].rows()

    def observe(self, loss: float | Tensor) -> None:
        """Pass a loss (one number) to the rule and set the learning rates that follow from it.

        A fixed schedule ignores it, and so does a rule in a SequentialLR before its turn.
        """
        if not isinstance(self.schedule, Reactive) or self._waiting:
            return
        value, still = one_number("loss", loss), False
        rates, groups = self._followed()
        if self.schedule.when == "update":
            alike = list(zip(rates.base_lrs, rates.now(), strict=True))
            asked = rates.bank.observes
            measured, directions, still = products(self._inner, asked, self._directions, rates.base_lrs, alike)
            after = rates.observed(value, measured)
        else:
            directions, after = self._directions, rates.observed(value)
        taken = after.state is not rates.state
        self._watch.observing(rates.step, taken, value, still)
        if taken:
            self._directions = directions
        self._apply(after, groups)

    def step(self, t: int | None = None) -> None:
        """Count one update, or set the count to ``t``; then set the learning rates of that step."""
        before = self.last_epoch
        step = before + 1 if t is None else whole_number("step", t, 0, "of updates from 0 (a metric goes to observe())")
        rates, groups = self._followed()
        after = rates.at(step)
        self._watch.stepping(before, step, handed=t is not None)
        self._step_count += 1
        self._move(before, after, groups)

    def get_last_lr(self) -> list[float | Tensor]:
        """The current learning rate of each parameter group, as floats."""
        return [float(group["lr"]) for group in self._inner.param_groups]

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate that the schedule gives each parameter group now, as floats."""
        return list(self._followed()[0].now())

    def state_dict(self) -> dict[str, Any]:
        """Everything that an equal schedule needs to continue exactly from here: numbers, strings and tensors."""
        directions = [self._directions.get(p) for p in self._parameters()] if self._directions else []
        return {
            **pack(self._followed()[0]),
            "observed_at": self._watch.observed_at,
            "waiting": self._waiting,
            "directions": [None if direction is None else direction.clone() for direction in directions],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from ``state_dict``, with its base learning rates.

        Call it before or after the optimizer loads its own state. In a SequentialLR, the learning rates are those that
        the optimizer loads. Warns if the state is past ``total_steps``.

        Raises ValueError, naming the first mismatch, for the state of another schedule or run, for other parameter
        groups, and for a value that ``state_dict()`` never returns. Then nothing is loaded.
        """
        require(state_dict, (*KEYS, "observed_at", "waiting", "directions"))
        rates, groups = self._followed()
        loaded = unpack(rates, state_dict)
        observed_at = whole_number("state_dict: observed_at", state_dict["observed_at"], 0)
        waiting = state_dict["waiting"]
        if not isinstance(waiting, bool):
            raise ValueError(f"state_dict: waiting must be True or False, got {short(waiting)}")
        directions = self._saved_directions(state_dict["directions"])
        self._watch.beyond("load_state_dict() was called with", loaded.step)
        self._directions = directions
        self._watch.resumed(observed_at)
        bases = zip(groups, loaded.base_lrs, strict=True)
        self._waiting = self._watch.in_sequence  # another scheduler may control the learning rates now
        self._apply(loaded, [group._replace(base_lr=base) for group, base in bases])
        self._waiting = waiting

    def _saved_directions(self, saved: Any) -> dict[Tensor, Tensor]:
        parameters = self._parameters() if saved else []
        if not isinstance(saved, list) or len(saved) != len(parameters):
            got = len(saved) if isinstance(saved, list) else type(saved).__name__
            raise ValueError(f"state_dict: directions must be one per parameter ({len(parameters)}), got {got}")
        directions = {
            p: tensor_like("directions", direction, p.detach())
            for p, direction in zip(parameters, saved, strict=True)
            if direction is not None
        }
        if not all(direction.isfinite().all() for direction in directions.values()):
            raise ValueError("state_dict: directions must be finite")
        return directions

    @property
    def _inner(self) -> Optimizer:
        return innermost(self.optimizer)

    def _parameters(self) -> list[Tensor]:
        return [p for group in self._inner.param_groups for p in group["params"]]

    def _followed(self) -> tuple[Rates, list[Group]]:
        """The current rates and groups, after following any groups that were added, removed or replaced."""
        if unchanged(self._inner, self._groups):
            return self._rates, self._groups
        groups, kept = look(self._inner, self._groups)
        if self._rates.bank.observes:
            check_optimizer(self._inner, self.schedule.kind)
        return self._rates.regrouped(kept, [group.base_lr for group in groups]), groups

    def _apply(self, rates: Rates, groups: list[Group]) -> None:
        for group, rate in zip(groups, () if self._waiting else rates.now(), strict=not self._waiting):
            assign(group, rate)
        self._rates, self._groups = rates, groups

    def _update_lr(self, epoch: int | None = None) -> None:
        """Count an update without checking the order of calls. SequentialLR starts its schedulers like this."""
        rates, groups = self._followed()
        self._move(rates.step, rates.at(rates.step + 1 if epoch is None else epoch), groups)

    def _move(self, before: int, rates: Rates, groups: list[Group]) -> None:
        self._watch.stepped(before, rates.step)
        self._waiting = False
        self._apply(rates, groups)

    def _initial_step(self) -> None:
        self._step_count = 1
        self._update_lr(0)

    def _listen(self) -> None:
        """Add hooks to the optimizer's step, to count updates and to give a new group its learning rate in time."""
        me = weakref.ref(self)

        def follow(*_: Any) -> None:
            scheduler = me()
            if scheduler is None or scheduler._watch.in_sequence:  # in a sequence another scheduler may be active
                return
            if not unchanged(scheduler._inner, scheduler._groups):
                scheduler._apply(*scheduler._followed())

        def count(*_: Any) -> None:
            scheduler = me()
            if scheduler is not None:
                scheduler._watch.updated(scheduler._drives())

        self._inner.register_step_pre_hook(follow)
        self._inner.register_step_post_hook(count)

    def _drives(self) -> bool:
        """Whether this schedule controls the current update: before its end, unless another scheduler took over."""
        rates = self._rates
        if rates.step >= rates.total_steps:
            return False
        return not self._watch.wants_a_step or all(map(holds, self._groups, rates.now()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._listen()  # copying and pickling an optimizer drops its hooks
