"""The metrics as data: which way is better, what guessing gives, which difference matters, and how values are written.

A metric NAME stands in the columns ``validation_NAME`` and ``test_NAME`` of a run. Nothing else knows a metric by its
name: what depends on it asks here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Values = TypeVar("Values", float, "NDArray[np.float64]")


@dataclass(frozen=True)
class Metric:
    """A measure of a run on a split: at least 0, at most ``high``.

    ``chance`` takes the share of the validation split's majority class and the number of classes; ``margin`` takes the
    examples of a split and gives the smallest difference that matters on it, where the sweep names none. A value is
    shown multiplied by ``factor``, with ``digits`` decimals and its ``unit``, a difference in ``gap_unit``; ``axis``
    are limits, in the shown unit, where there is nothing to be shown.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    high: float
    chance: Callable[[float, int], float]
    margin: Callable[[int], float]
    finest: Callable[[int], float]
    factor: int
    digits: int
    unit: str
    gap_unit: str
    axis: tuple[float, float]

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.direction == "maximize" else -1

    @property
    def lower_is_better(self) -> bool:
        return self.direction == "minimize"

    @property
    def bounded(self) -> bool:
        """Whether there is a greatest value; otherwise none counts as worse than chance."""
        return math.isfinite(self.high)

    @property
    def worst(self) -> float:
        """What no value is worse than."""
        return -self.sign * math.inf

    @property
    def label(self) -> str:
        """The metric and its unit, for the axis of a figure."""
        return f"{self.name}, {self.unit}"

    @property
    def hint(self) -> str:
        """Which way is better, in brackets, where it is not the usual one."""
        return "(less is better)" if self.lower_is_better else ""

    def ahead(self, a: Values, b: Values) -> Values:
        """By how much ``a`` is better than ``b``, numbers or arrays."""
        return b - a if self.lower_is_better else a - b

    def best(self, a: float, b: float) -> float:
        """The better one of two."""
        return min(a, b) if self.lower_is_better else max(a, b)

    def counted(self, value: float, chance: float) -> float:
        """A value as it counts: that of an unbounded metric is never worse than ``chance``."""
        return value if self.bounded else self.best(value, chance)


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                "accuracy",
                "maximize",
                high=1.0,
                chance=lambda majority, classes: majority,
                margin=lambda examples: 2 / max(examples, 1),
                finest=lambda examples: 1 / (2 * max(examples, 1)),
                factor=100,
                digits=1,
                unit="%",
                gap_unit="points",
                axis=(0.0, 100.0),
            ),
            Metric(
                "loss",
                "minimize",
                high=math.inf,
                chance=lambda majority, classes: math.log(classes),
                margin=lambda examples: 0.0,
                finest=lambda examples: 0.0,
                factor=1,
                digits=3,
                unit="nats",
                gap_unit="nats",
                axis=(0.0, 3.0),
            ),
        )
    }
)
