"""A strategy with everything settled but what is searched: the precedence of a sweep's tables, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from decaybench.schedules import SCHEDULES, Range, Reactive, Schedule
from decaybench.sweep.own import combinations, own_fields
from decaybench.sweep.values import Choices, Parameter, RuleError, Span, Value, show

if TYPE_CHECKING:
    from decaybench.sweep.model import Search, Strategy, Sweep, Task

OptimizerKind = Literal["sgd", "adam", "schedule-free", "prodigy"]
WITHOUT_SCHEDULE: tuple[OptimizerKind, ...] = ("schedule-free", "prodigy")  # they promise to need none

LEARNING_RATE = Range(1e-3, 1.0, log=True)  # where the strategy, [search] and the kind say nothing


@dataclass(frozen=True)
class Dimension:
    """One searched parameter: its name in the study, its range, and whether all strategies share it.

    ``range`` is that of a whole run; ``follows_run`` says that the kind's range grows with a run's epochs, so that a
    shorter run (``lengths``) takes the same place in a range of its own.
    """

    name: str
    range: Range
    shared: bool
    follows_run: bool = False


@dataclass(frozen=True)
class Arm:
    """One strategy of a sweep, precedence applied.

    ``learning_rate``, ``momentum`` and ``weight_decay`` are numbers, or the Range searched (momentum's
    is that of 1 - momentum). ``fixed`` holds the kind's own fields that the file fixes, with their units;
    ``space`` is what is searched, shared dimensions first. A field in neither keeps its class' default.
    """

    label: str
    kind: str
    schedule_class: type[Schedule]
    family: Literal["fixed", "reactive"]
    optimizer: OptimizerKind
    nesterov: bool
    velocity: Literal["torch", "keras"]
    learning_rate: float | Range
    momentum: float | Range
    weight_decay: float | Range
    fixed: Mapping[str, Value]
    space: tuple[Dimension, ...]

    @property
    def held_out(self) -> bool:
        """Whether it reacts to the loss on a split of its own, or may where its signal is searched."""
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
    """Arms from a sweep's tables. Raises RuleError for a rule broken in a strategy, or between two."""
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
    learning_rate = _shared(strategy.learning_rate or search.learning_rate) or kind.learning_rate or LEARNING_RATE
    momentum = _momentum(strategy.momentum or search.momentum)
    weight_decay = _shared(strategy.weight_decay or search.weight_decay)
    assert weight_decay is not None
    optimizer, nesterov, velocity = _form(strategy, task)
    if nesterov and _may_be_zero(momentum):
        raise RuleError("needs momentum > 0, got true with momentum 0", "nesterov")
    _check_fits(strategy, optimizer, velocity, momentum)
    fixed, own = own_fields(kind, strategy.own, task.epochs)
    shared = {"learning_rate": learning_rate, "one_minus_momentum": momentum, "weight_decay": weight_decay}
    return Arm(
        label=label,
        kind=strategy.schedule,
        schedule_class=kind,
        family=kind.family,
        optimizer=optimizer,
        nesterov=nesterov,
        velocity=velocity,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        fixed=fixed,
        space=(
            *(Dimension(name, value, True) for name, value in shared.items() if isinstance(value, Range)),
            *(
                Dimension(f"{label}.{name}", searched, False, name not in strategy.own and _follows_run(kind, name))
                for name, searched in own.items()
            ),
        ),
    )


def _follows_run(kind: type[Schedule], name: str) -> bool:
    """Whether the field's default range depends on how many epochs a run has."""
    return kind.range_of(name, epochs=1) != kind.range_of(name, epochs=1_000_000)


def _form(strategy: "Strategy", task: "Task") -> tuple[OptimizerKind, bool, Literal["torch", "keras"]]:
    """Optimizer, Nesterov, velocity. The others have neither: what the task says for SGD is no concern of theirs."""
    optimizer = strategy.optimizer or task.optimizer
    nesterov = task.nesterov if strategy.nesterov is None else strategy.nesterov
    if optimizer != "sgd":
        if nesterov and (strategy.nesterov or task.optimizer == optimizer):
            raise RuleError(f"must be false under {optimizer}, which has no Nesterov form, got true", "nesterov")
        return optimizer, False, "torch"
    return "sgd", nesterov, strategy.velocity or task.velocity


def _check_fits(
    strategy: "Strategy", optimizer: OptimizerKind, velocity: Literal["torch", "keras"], momentum: float | Range
) -> None:
    """What a rule that looks at gradients asks of the optimizer, and an optimizer of the momentum."""
    kind = SCHEDULES[strategy.schedule]
    products = kind.observes if issubclass(kind, Reactive) else ()
    if products and optimizer != "sgd":
        rule = f'must be "sgd", since {strategy.schedule} looks at gradients'
        raise RuleError(f"{rule}, got {show(optimizer)}", "optimizer")
    if set(products) - {"grad_norm_sq"} and velocity == "keras" and not _is_zero(momentum):
        rule = f'must be "torch", since {strategy.schedule} follows a velocity without the learning rate in it'
        raise RuleError(f"{rule}, got {show(velocity)}", "velocity")
    if optimizer == "schedule-free" and _may_be_zero(momentum):
        raise RuleError("must be above 0 under schedule-free, got 0", "momentum")


def _is_zero(momentum: float | Range) -> bool:
    return set(momentum.choices or ()) == {1.0} if isinstance(momentum, Range) else momentum == 0


def _may_be_zero(momentum: float | Range) -> bool:
    return 1.0 in (momentum.choices or ()) if isinstance(momentum, Range) else momentum == 0


def _shared(given: Parameter | None) -> float | Range | None:
    if given is None:
        return None
    if isinstance(given, Span):
        return Range(float(given.low), float(given.high), log=given.log)
    if isinstance(given, Choices):
        return Range(choices=tuple(float(choice) for choice in given.choices))
    assert isinstance(given.value, int | float)
    return float(given.value)


def _momentum(given: Parameter) -> float | Range:
    found = _shared(given)
    assert found is not None
    if not isinstance(found, Range):
        return found
    if found.choices is not None:
        return Range(choices=tuple(1.0 - choice for choice in found.choices))
    return Range(1.0 - found.high, 1.0 - found.low, log=found.log)


def check_paired(built: Sequence[Arm]) -> None:
    """Slot i is one point for all strategies: a parameter they share needs one scale, or one list; else RuleError."""
    for parameter in ("learning_rate", "momentum", "weight_decay"):
        searching = [arm for arm in built if isinstance(getattr(arm, parameter), Range)]
        for arm in searching[1:]:
            first, this = _scale(searching[0], parameter), _scale(arm, parameter)
            if this != first:
                other = f"strategies.{searching[0].label}'s ({first})"
                rule = f"must be searched like {other}, since slots are paired, got {this}"
                raise RuleError(rule, "strategies", arm.label, parameter)


def _scale(arm: Arm, parameter: str) -> str:
    searched: Range = getattr(arm, parameter)
    if searched.choices is None:
        return f"log = {show(searched.log)}"
    choices = [tidy_momentum(c) if parameter == "momentum" else c for c in searched.choices]
    return f"choices = {show(choices)}"


def tidy_momentum(one_minus: float) -> float:
    """Momentum from a choice of 1 - momentum: 0.1 again, and not 0.09999999999999998."""
    return round(1.0 - one_minus, 15)
