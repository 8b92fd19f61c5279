"""A strategy's search space between three languages: the unit cube, range units, and an Optuna study's parameters.

In the study a dimension keeps its name. Two kinds of range need more than one Optuna parameter: one that may be
exactly zero adds a switch ``NAME.zero`` (NAME itself is there only when it is not zero), and a list of 1 to n sorted
values becomes ``NAME.count`` and ``NAME.1`` to ``NAME.count``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from decaybench.schedules import Range

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
    """The study's parameters and distributions for one point, given in range units by dimension name."""
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
    """The inverse of ``to_study``: a point in range units from the study's parameters."""
    values: dict[str, Any] = {}
    for dimension in space:
        name, limits = dimension.name, dimension.range
        if limits.count is not None:
            values[name] = tuple(params[f"{name}.{i}"] for i in range(1, params[f"{name}.count"] + 1))
        elif limits.zero_or and params[f"{name}.zero"]:
            values[name] = 0.0
        else:
            values[name] = params[name]
    return values


def _distribution(limits: Range) -> BaseDistribution:
    if limits.choices is not None:
        return CategoricalDistribution(limits.choices)
    if limits.int:
        return IntDistribution(int(limits.low), int(limits.high), log=limits.log)
    return FloatDistribution(limits.low, limits.high, log=limits.log)
