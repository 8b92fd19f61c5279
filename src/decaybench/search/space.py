"""Conversions of a strategy's parameters between range units, native units and the parameters of an Optuna study.

In the study, a dimension keeps its name. Two kinds of range need more than one Optuna parameter. A range that also
allows 0 adds a switch ``NAME.zero``, and ``NAME`` itself is present only if the switch is off. A sorted list of 1 to n
values becomes ``NAME.count`` and ``NAME.1`` to ``NAME.n``, as many as ``NAME.count`` says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from decaybench.schedules import Range
from decaybench.schedules.ranges import convert
from decaybench.shared import BY_DIMENSION

STRATEGY = "strategy"


class Dimension(Protocol):
    """One searched parameter: its name in the study, its range, and whether all strategies share it."""

    @property
    def name(self) -> str: ...
    @property
    def range(self) -> Range: ...
    @property
    def shared(self) -> bool: ...


Space = Sequence[Dimension]


def to_study(space: Space, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """The study's parameters and distributions for one point, whose ``values`` are in range units by dimension name."""
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}

    def put(name: str, value: Any, distribution: BaseDistribution) -> None:
        params[name], distributions[name] = value, distribution

    for dimension in space:
        name, limits, value = dimension.name, dimension.range, values[dimension.name]
        if limits.count is not None:
            put(f"{name}.count", len(value), IntDistribution(*limits.count))
            for i, item in enumerate(value, 1):
                put(f"{name}.{i}", item, _distribution(limits))
        elif limits.zero_or:
            put(f"{name}.zero", value == 0, CategoricalDistribution([False, True]))
            if value != 0:
                put(name, value, _distribution(limits))
        else:
            put(name, value, _distribution(limits))
    return params, distributions


def from_study(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``to_study``: a point in range units from the study's parameters; lists are sorted."""
    values: dict[str, Any] = {}
    for dimension in space:
        name, limits = dimension.name, dimension.range
        if limits.count is not None:
            values[name] = tuple(sorted(params[f"{name}.{i}"] for i in range(1, params[f"{name}.count"] + 1)))
        elif limits.zero_or and params[f"{name}.zero"]:
            values[name] = 0.0
        else:
            values[name] = params[name]
    return values


def draw(space: Space, suggest: Callable[[str, BaseDistribution], Any]) -> dict[str, Any]:
    """A point in range units. Calls ``suggest`` for one study parameter after another, conditions first."""
    params: dict[str, Any] = {}

    def ask(name: str, distribution: BaseDistribution) -> Any:
        params[name] = suggest(name, distribution)
        return params[name]

    for dimension in space:
        name, limits = dimension.name, dimension.range
        if limits.count is not None:
            for i in range(1, ask(f"{name}.count", IntDistribution(*limits.count)) + 1):
                ask(f"{name}.{i}", _distribution(limits))
        elif not limits.zero_or or not ask(f"{name}.zero", CategoricalDistribution([False, True])):
            ask(name, _distribution(limits))
    return from_study(space, params)


def from_native(space: Space, params: Mapping[str, Any], *, total_steps: int, steps_per_epoch: int) -> dict[str, Any]:
    """A point in range units from a run's ``params``: the native values with which it was trained.

    Values that were rounded on the way to native units are converted as they are, and clipped to their range.
    """
    values = {}
    for dimension in space:
        if dimension.shared:
            shared = BY_DIMENSION[dimension.name]
            native = shared.to_searched(params[shared.name])
        else:
            native = params[dimension.name.rpartition(".")[2]]
        values[dimension.name] = _back(dimension.range, native, total_steps, steps_per_epoch)
    return values


def _back(limits: Range, native: Any, total_steps: int, steps_per_epoch: int) -> Any:
    """The inverse of ``limits.to_native``."""
    if isinstance(native, list | tuple):
        return tuple(sorted(_back(limits, each, total_steps, steps_per_epoch) for each in native))
    if isinstance(native, bool | str):
        return native
    if limits.choices is not None:

        def distance(choice: Any) -> float:
            there = limits.to_native(choice, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
            return abs(float(there) - float(native))

        return min(limits.choices, key=distance)
    if limits.zero_or and native == 0:
        return 0.0
    value: float = native
    if limits.unit != limits.native:
        value = convert(native, limits.native, limits.unit, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
    value = min(max(value, limits.low), limits.high)
    return round(value) if limits.int else float(value)


def _distribution(limits: Range) -> BaseDistribution:
    if limits.choices is not None:
        return CategoricalDistribution(limits.choices)
    if limits.int:
        return IntDistribution(int(limits.low), int(limits.high), log=limits.log)
    return FloatDistribution(limits.low, limits.high, log=limits.log)
