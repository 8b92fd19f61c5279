"""The metrics: how each is measured, its direction, the value of guessing, the difference that matters, its unit.

The metric NAME is in the columns ``validation_NAME`` and ``test_NAME`` of a run. No other module compares names of
metrics; whatever depends on the metric is an attribute here. torch is imported only to measure, because reports do
without it.
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
    from torch import Tensor

Values = TypeVar("Values", float, "NDArray[np.float64]")


@dataclass(frozen=True)
class Metric:
    """A measure of a run on a split, from 0 to ``high``: the mean of what it is for each example.

    ``measure(logits, labels)`` takes K runs' logits (K, N, classes) of N examples, float32 or float64, and their labels
    (K, N), and returns the sum over the examples for each run, (K,). A run's sum must depend on its own logits alone.
    The results are added in float64. A run with a value that is not finite has diverged.

    ``chance(majority, classes)`` is the value of guessing, given the share of the training split's majority class and
    the number of classes. ``margin(examples)`` is the least default margin on a split of that size (two images), and
    ``finest(examples)`` the least standard error of a difference after one repeat (half an image); both are 0 where
    there is no such limit. A value is shown multiplied by ``factor``, with ``digits`` decimals and ``unit``; a
    difference has ``gap_unit``. ``axis`` gives the limits of an empty figure, in the shown unit.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    high: float
    measure: Callable[[Tensor, Tensor], Tensor]
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
        """1 if more is better, -1 if less is better."""
        return 1 if self.direction == "maximize" else -1

    @property
    def lower_is_better(self) -> bool:
        return self.direction == "minimize"

    @property
    def bounded(self) -> bool:
        """Whether there is a greatest value; if not, no value counts as worse than chance."""
        return math.isfinite(self.high)

    @property
    def worst(self) -> float:
        """A value that is at least as bad as any other: minus or plus infinity."""
        return -self.sign * math.inf

    @property
    def label(self) -> str:
        """The metric and its unit, for the axis of a figure."""
        return f"{self.name}, {self.unit}"

    @property
    def hint(self) -> str:
        """A note that less is better, if that is so; otherwise empty, since more is usually better."""
        return "(less is better)" if self.lower_is_better else ""

    def ahead(self, a: Values, b: Values) -> Values:
        """How much better ``a`` is than ``b``; numbers or arrays."""
        return b - a if self.lower_is_better else a - b

    def best(self, a: float, b: float) -> float:
        """The better of two values."""
        return min(a, b) if self.lower_is_better else max(a, b)

    def counted(self, value: float, chance: float) -> float:
        """The value to use in statistics: for an unbounded metric, never worse than ``chance``."""
        return value if self.bounded else self.best(value, chance)


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, N)``, from logits ``(K, N, classes)`` and labels ``(K, N)``.

    ``smoothing`` is the share of the target that is spread evenly over all classes.
    """
    from torch.nn import functional

    flat = widened(logits).flatten(0, 1), labels.flatten()
    return functional.cross_entropy(*flat, reduction="none", label_smoothing=smoothing).view(labels.shape)


def widened(logits: Tensor) -> Tensor:
    """bf16 logits in float32: a loss with eight bits of mantissa is too coarse for a loss-reactive learning rate."""
    return logits.float() if logits.element_size() == 2 else logits


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            Metric(
                "accuracy",
                "maximize",
                high=1.0,
                measure=lambda logits, labels: (logits.argmax(2) == labels).sum(1),
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
                measure=lambda logits, labels: cross_entropy(logits, labels).sum(1),
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
