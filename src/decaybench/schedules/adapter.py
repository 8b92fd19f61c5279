"""Any schedule as the scheduler of a torch optimizer."""

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
    """Drives an optimizer's learning rates: each parameter group's own base learning rate times the scale.

    Per update: ``loss.backward(); scheduler.observe(loss); optimizer.step(); scheduler.step()``. An update rule sets
    this update's own learning rate in ``observe``; an epoch rule is shown each epoch's loss once, at the epoch's end;
    a fixed schedule needs no ``observe``. With gradient accumulation an update is what ends it: one ``observe``, with
    the mean loss, and one ``step`` for all its micro-batches. Where a gradient scaler skipped the update, skip
    ``step`` too: an update rule takes no notice of a loss, or products of gradients, that are not finite. Calls that
    are missing, too many or out of order give a UserWarning, one for each kind of fault, and so do more updates than
    ``total_steps`` and a warmup that is longer.

    A group's base learning rate is its ``initial_lr`` if it has one, else its ``lr``, which then is its
    ``initial_lr``, as for torch's own schedulers: a second scheduler, or one on an optimizer that was saved in
    mid-run, starts from the base learning rate and not from where the first one left it (delete ``initial_lr`` for
    another start). A group whose learning rate is 0 is frozen, and stays so. Rules know each group's own learning
    rate. A group that is added later starts from its own, at the schedule's present time, and shares what the rule
    has seen.

    Rules that look at gradients read them from the parameters in ``observe``: after ``backward``, and after
    ``scaler.unscale_(optimizer)`` if there is a gradient scaler. They are for torch.optim.SGD, wrapped by accelerate or
    not.

    Raises TypeError for what is not an optimizer, or not a schedule. Raises ValueError for a schedule with a Range in
    it, for sizes that are not whole numbers from 1, for learning rates that are negative, not finite or all 0, and
    for an optimizer that the rule cannot follow. Raises RuntimeError when a reactive rule was never shown a loss, or
    when one that looks at gradients finds none. What raises changes nothing.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        # Not LRScheduler's own: it would replace optimizer.step, as others do, while a hook stays where it is.
        inner = innermost(optimizer)
        groups, _ = look(inner)
        rates = Rates.begin(schedule, [group.base_lr for group in groups], total_steps, steps_per_epoch)
        if rates.bank.observes:
            check_optimizer(inner, schedule.kind)
        self.optimizer, self.schedule = optimizer, schedule
        self._directions: dict[Tensor, Tensor] = {}
        self._step_count = 1  # accelerate counts in it
        self._watch = Watch(schedule, rates.total_steps, rates.steps_per_epoch)
        self._waiting = False  # for its turn in a SequentialLR
        self._listen()
        self._apply(rates, groups)

    @property
    def base_lrs(self) -> list[float | Tensor]:  # type: ignore[override]  # torch's is an attribute, to be assigned
        """The base learning rate of each parameter group."""
        return list(self._followed()[0].base_lrs)

    @property
    def last_epoch(self) -> int:
        """The updates made: torch's name for what a scheduler counts."""
        return self._rates.step

    @last_epoch.setter
    def last_epoch(self, value: int) -> None:
        """SequentialLR takes back the step with which torch's schedulers begin: ours waits for its turn then."""
        self._waiting = self._watch.in_sequence = value < 0
        self._rates: Rates = replace(self._rates, step=max(value, 0))

    @property
    def state(self) -> Any:
        """What the rule remembers, a NamedTuple of (groups,) tensors: exp_loss counts in ``capped`` what it capped."""
        return self._followed()[0].rows()

    def observe(self, loss: float | Tensor) -> None:
        """Show the rule a loss (one number), and set the learning rates that follow from it. Before its turn in a
        SequentialLR the rule takes no notice.
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
        """Count one update, or take a counter ``t`` handed in; the learning rates are then step t's."""
        before = self.last_epoch
        step = before + 1 if t is None else whole_number("step", t, 0, "of updates from 0 (a metric goes to observe())")
        rates, groups = self._followed()
        after = rates.at(step)
        self._watch.stepping(before, step, handed=t is not None)
        self._step_count += 1
        self._move(before, after, groups)

    def get_last_lr(self) -> list[float | Tensor]:
        """The learning rate of each parameter group, a float."""
        return [float(group["lr"]) for group in self._inner.param_groups]

    def get_lr(self) -> list[float | Tensor]:
        """The learning rate that the schedule gives each parameter group now, a float."""
        return list(self._followed()[0].now())

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly from here, with an equal schedule: numbers, strings and tensors."""
        directions = [self._directions.get(p) for p in self._parameters()] if self._directions else []
        return {
            **pack(self._followed()[0]),
            "observed_at": self._watch.observed_at,
            "waiting": self._waiting,
            "directions": [None if direction is None else direction.clone() for direction in directions],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``state_dict``, with its base learning rates; before or after the optimizer loads its own state.

        Raises ValueError, naming what does not fit, for another schedule or run, other parameter groups or a value that
        ``state_dict()`` never holds; then nothing is loaded. Warns of a state that is past ``total_steps``. In a
        SequentialLR the learning rates are those that the optimizer loads.
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
        self._waiting = self._watch.in_sequence  # others may set the learning rates now
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
        """The learning rates and the groups as they are now: some may have been added, removed or replaced."""
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
        """Another update, without a look at the order of calls: SequentialLR begins its schedulers so."""
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
        """Be called by the optimizer's step: it counts, and a group that was just added gets its learning rate in
        time.
        """
        me = weakref.ref(self)

        def follow(*_: Any) -> None:
            scheduler = me()
            if scheduler is None or scheduler._watch.in_sequence:  # where another's turn may be
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
        """Whether an update is this schedule's: before its end, and where no other scheduler took over."""
        rates = self._rates
        if rates.step >= rates.total_steps:
            return False
        return not self._watch.wants_a_step or all(map(holds, self._groups, rates.now()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._listen()  # optimizers are copied and pickled without their hooks
