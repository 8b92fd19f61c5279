"""A strategy with everything settled except what is searched, after applying the precedence of a sweep's tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from decaybench.optimizers import OPTIMIZERS, Average, OptimizerForm, Velocity
from decaybench.schedules import SCHEDULES, Range, Reactive, Schedule
from decaybench.shared import SHARED, Shared
from decaybench.sweep.own import combinations, own_fields
from decaybench.sweep.values import Choices, Parameter, RuleError, Value, show

if TYPE_CHECKING:
    from decaybench.sweep.model import Search, Strategy, Sweep, Task

LEARNING_RATE = Range(1e-3, 1.0, log=True)  # if neither the strategy, nor [search], nor the kind sets it


@dataclass(frozen=True)
class Dimension:
    """One searched parameter: its name in the study, its range, and whether all strategies share it.

    ``range`` is that of a run of the full length. If ``follows_run``, the kind's range grows with the epochs of a run,
    and a shorter run (see ``lengths``) takes the value at the same place in its own range.
    """

    name: str
    range: Range
    shared: bool
    follows_run: bool = False


@dataclass(frozen=True)
class Arm:
    """One strategy of a sweep, with its settings and its search space.

    ``learning_rate``, ``momentum`` and ``weight_decay`` are numbers, or the Range that is searched (for momentum, that
    of 1 - momentum). ``fixed`` holds the kind's own fields that the file fixes, with their units. ``space`` is what is
    searched, shared dimensions first. A field in neither has its class' default. A ``control`` is a baseline: its
    learning rate is constant, and it has no optimizer or average of its own that could replace a schedule.
    """

    label: str
    kind: str
    schedule_class: type[Schedule]
    family: Literal["fixed", "reactive"]
    optimizer: str
    nesterov: bool
    velocity: Velocity
    average: Average | None
    control: bool
    learning_rate: float | Range
    momentum: float | Range
    weight_decay: float | Range
    fixed: Mapping[str, Value]
    space: tuple[Dimension, ...]

    @property
    def form(self) -> OptimizerForm:
        """What of it changes the arithmetic of training."""
        return OptimizerForm(self.optimizer, self.nesterov, self.velocity, self.average)

    @property
    def method(self) -> str:
        """Its optimizer and average, in words."""
        return self.optimizer if self.average is None else f"{self.optimizer}, {self.average}"

    @property
    def held_out(self) -> bool:
        """Whether the strategy reacts to held-out loss, or may do so because its signal is searched."""
        legal = self.schedule_class.options()
        own = {d.name.partition(".")[2]: d.range.choices or () for d in self.space if not d.shared}
        searched = {name: choices for name, choices in own.items() if name in legal}
        given = {name: value.value for name, value in self.fixed.items() if name in legal}
        return any(
            getattr(self.schedule_class(**given, **options), "held_out", False) for options in combinations(searched)
        )


def arms(sweep: "Sweep") -> tuple[Arm, ...]:
    """The sweep's strategies as arms, in file order."""
    return build_arms(sweep.task, sweep.search, sweep.strategies)


def build_arms(task: "Task", search: "Search", strategies: Mapping[str, "Strategy"]) -> tuple[Arm, ...]:
    """Arms from a sweep's tables. Raises RuleError for a rule that a strategy, or a pair of them, breaks."""
    built = []
    for label, strategy in strategies.items():
        try:
            built.append(_arm(label, strategy, task, search))
        except RuleError as refused:
            raise refused.below("strategies", label) from None
    check_paired(built)
    return tuple(built)


def _arm(label: str, strategy: "Strategy", task: "Task", search: "Search") -> Arm:
    kind = SCHEDULES[strategy.schedule]
    limits: dict[str, float | Range] = {}
    for shared in SHARED:
        given = getattr(strategy, shared.name) or getattr(search, shared.name)
        # Only the learning rate has no default in [search], since a kind may have its own range for it.
        limits[shared.name] = kind.learning_rate or LEARNING_RATE if given is None else _limits(shared, given)
    momentum = limits["momentum"]
    optimizer, nesterov, velocity = _form(strategy, task)
    average = _average(strategy, task, optimizer)
    if nesterov and _may_be_zero(momentum):
        raise RuleError("needs momentum > 0, got true with momentum 0", "nesterov")
    _check_fits(strategy, optimizer, velocity, momentum)
    _check_loss(strategy, task)
    fixed, own = own_fields(kind, strategy.own, task.epochs)
    return Arm(
        label=label,
        kind=strategy.schedule,
        schedule_class=kind,
        family=kind.family,
        optimizer=optimizer,
        nesterov=nesterov,
        velocity=velocity,
        average=average,
        control=strategy.schedule == "constant" and OPTIMIZERS[optimizer].needs_schedule and average == task.average,
        learning_rate=limits["learning_rate"],
        momentum=momentum,
        weight_decay=limits["weight_decay"],
        fixed=fixed,
        space=(
            *(
                Dimension(shared.dimension, value, True)
                for shared in SHARED
                if isinstance(value := limits[shared.name], Range)
            ),
            *(
                Dimension(f"{label}.{name}", value, False, name not in strategy.own and _follows_run(kind, name))
                for name, value in own.items()
            ),
        ),
    )


def _follows_run(kind: type[Schedule], name: str) -> bool:
    """Whether the field's default range depends on how many epochs a run has."""
    return kind.range_of(name, epochs=1) != kind.range_of(name, epochs=1_000_000)


def _form(strategy: "Strategy", task: "Task") -> tuple[str, bool, Velocity]:
    """The strategy's optimizer, Nesterov and velocity; for an optimizer without velocity, False and "torch"."""
    optimizer = strategy.optimizer or task.optimizer
    nesterov = task.nesterov if strategy.nesterov is None else strategy.nesterov
    if not OPTIMIZERS[optimizer].has_velocity:
        if nesterov and (strategy.nesterov or task.optimizer == optimizer):
            raise RuleError(f"must be false under {optimizer}, which has no Nesterov form, got true", "nesterov")
        return optimizer, False, "torch"
    return optimizer, nesterov, strategy.velocity or task.velocity


def _average(strategy: "Strategy", task: "Task", optimizer: str) -> Average | None:
    """The strategy's average; None for an optimizer that has one of its own."""
    average = strategy.average or task.average
    if average is not None and OPTIMIZERS[optimizer].averages:
        if strategy.average or task.optimizer == optimizer:
            rule = f"must be absent under {optimizer}, which averages by itself"
            raise RuleError(f"{rule}, got {show(average.table())}", "average")
        return None
    return average


def _check_loss(strategy: "Strategy", task: "Task") -> None:
    """Check that a rule that uses gradients would not get those of another loss than it observes."""
    kind = SCHEDULES[strategy.schedule]
    if task.label_smoothing is not None and issubclass(kind, Reactive) and kind.observes:
        rule = f"must not look at gradients under task.label_smoothing = {task.label_smoothing:g}, which changes them"
        raise RuleError(f"{rule}, got {show(strategy.schedule)}", "schedule")


def _check_fits(strategy: "Strategy", optimizer: str, velocity: Velocity, momentum: float | Range) -> None:
    """Check what a rule that uses gradients needs from the optimizer, and what the optimizer needs from momentum."""
    kind = SCHEDULES[strategy.schedule]
    products = frozenset(kind.observes if issubclass(kind, Reactive) else ())
    shown = OPTIMIZERS[optimizer].observable
    if not products <= _all(shown):
        able = " or ".join(show(name) for name, other in OPTIMIZERS.items() if products <= _all(other.observable))
        rule = f"must be {able}, since {strategy.schedule} looks at gradients"
        raise RuleError(f"{rule}, got {show(optimizer)}", "optimizer")
    # Without momentum both velocities are the gradient.
    if not products <= shown.get(velocity, frozenset()) and not _is_zero(momentum):
        rule = f'must be "torch", since {strategy.schedule} needs a velocity that excludes the learning rate'
        raise RuleError(f"{rule}, got {show(velocity)}", "velocity")
    if OPTIMIZERS[optimizer].needs_momentum and _may_be_zero(momentum):
        raise RuleError(f"must be above 0 under {optimizer}, got 0", "momentum")


def _all(shown: Mapping[Velocity, frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*shown.values())


def _is_zero(momentum: float | Range) -> bool:
    return set(momentum.choices or ()) == {1.0} if isinstance(momentum, Range) else momentum == 0


def _may_be_zero(momentum: float | Range) -> bool:
    return 1.0 in (momentum.choices or ()) if isinstance(momentum, Range) else momentum == 0


def _limits(shared: Shared, given: Parameter) -> float | Range:
    """The number that a shared parameter is fixed to, or the range that is searched."""
    if isinstance(given, Value):
        assert isinstance(given.value, int | float)
        return float(given.value)
    if isinstance(given, Choices):
        return Range(choices=tuple(shared.to_searched(float(choice)) for choice in given.choices))
    low, high = sorted((shared.to_searched(float(given.low)), shared.to_searched(float(given.high))))
    return Range(low, high, log=given.log)


def check_paired(built: Sequence[Arm]) -> None:
    """RuleError unless all strategies search a shared parameter on one scale, or from one list of choices.

    Otherwise, trial i could not be one point for all strategies.
    """
    for parameter in SHARED:
        searching = [arm for arm in built if isinstance(getattr(arm, parameter.name), Range)]
        for arm in searching[1:]:
            first, this = _scale(searching[0], parameter), _scale(arm, parameter)
            if this != first:
                other = f"strategies.{searching[0].label}'s ({first})"
                rule = f"must be searched like {other}, since trials are paired, got {this}"
                raise RuleError(rule, "strategies", arm.label, parameter.name)


def _scale(arm: Arm, parameter: Shared) -> str:
    searched: Range = getattr(arm, parameter.name)
    if searched.choices is None:
        return f"log = {show(searched.log)}"
    return f"choices = {show([parameter.to_native(choice, choice=True) for choice in searched.choices])}"
