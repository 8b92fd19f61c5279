"""What KerasCallback reads from a model that Keras trains: its learning rate, its updates, and a batch's own loss."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras


class Found(NamedTuple):
    """An optimizer as it was found: the updates it had made, and its learning rate (None: it has none to read)."""

    optimizer: Any
    updates: int
    rate: float | None


def found(model: Any) -> Found:
    """The optimizer of ``model`` as it is now; a model that was never compiled has none."""
    optimizer: Any = getattr(model, "optimizer", None)
    try:
        return Found(optimizer, int(optimizer.iterations), float(optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return Found(optimizer, 0, None)


def base_rate(name: str, rate: Any) -> float:
    """``rate`` as a float: ValueError unless it is a finite number above 0."""
    try:
        number = math.nan if isinstance(rate, bool | str) else float(rate)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"KerasCallback: {name} must be a finite number above 0, got {rate!r}")
    return number


def check_optimizer(optimizer: Any) -> None:
    """Raise ValueError unless the optimizer's learning rate is a number that can be set."""
    try:
        optimizer.learning_rate = float(optimizer.learning_rate)
    except (AttributeError, TypeError, ValueError):  # a function has no assign, a LearningRateSchedule is not settable
        held = getattr(_inner(optimizer), "_learning_rate", None)
        got = "none" if held is None else f"a {type(held).__name__}"
        raise ValueError(
            f"KerasCallback: the optimizer's learning_rate must be a number, which can be set, got {got}"
        ) from None


def check_updates(model: Any) -> None:
    """Raise ValueError unless Keras makes one update per batch, and shows its callbacks each."""
    for name, got in (
        ("steps_per_execution", model.steps_per_execution),
        ("gradient_accumulation_steps", getattr(_inner(model.optimizer), "gradient_accumulation_steps", None) or 1),
    ):
        if got != 1:
            raise ValueError(f"KerasCallback: {name} must be 1 in this fit, got {got}")


def _inner(optimizer: Any) -> Any:
    """The optimizer that makes the updates, which a LossScaleOptimizer holds."""
    return getattr(optimizer, "inner_optimizer", optimizer)


class BatchLoss:
    """A batch's own loss, from the sums behind Keras' mean of the epoch so far: their growth over the batch.

    The sums are float32, so after B batches of an epoch a loss is exact to about B * 6e-8 of the epoch's mean. They
    are read before each batch too, and held against the mean that Keras logged after it: ``model.evaluate`` in another
    callback resets them.
    """

    def __init__(self, model: Any) -> None:
        means = (metric for metric in model.metrics if isinstance(metric, keras.metrics.Mean))
        self._mean = next((mean for mean in means if mean.name == "loss"), None)
        if self._mean is None:
            raise ValueError("KerasCallback: the model must have Keras' own metric 'loss', a keras.metrics.Mean")
        self._before = (0.0, 0.0)

    def begin(self) -> None:
        """Before a batch."""
        self._before = self._sums()

    def end(self, logs: Mapping[str, Any]) -> float:
        """The loss, after the batch, whose ``logs`` have the mean: NaN where that is no longer finite."""
        (total, count), (before, counted) = self._sums(), self._before
        logged = float(logs.get("loss", math.nan))
        if "loss" in logs and not math.isfinite(logged):
            return math.nan
        if count <= counted or not math.isclose(total / count, logged, rel_tol=1e-5, abs_tol=1e-30):
            raise ValueError(
                "KerasCallback: a batch's loss cannot be told, for the model's metric 'loss' does not hold the mean "
                "that Keras logs: train_step must update it, and a callback that evaluates must stand after this one"
            )
        return (total - before) / (count - counted)

    def _sums(self) -> tuple[float, float]:
        mean: Any = self._mean
        return float(mean.total), float(mean.count)
