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
        got = "none" if held is None else f"one of type {type(held).__name__}"
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


def check_unmoved(now: Found, left: Found, updates: int) -> None:
    """Raise ValueError where another callback set the learning rate after it was ``left``, up to ``updates`` ago.

    Where the count of updates has moved otherwise, an optimizer was restored whole, as BackupAndRestore does.
    """
    if now.rate != left.rate and 0 <= now.updates - left.updates <= updates:
        raise ValueError(
            f"KerasCallback: no other callback may set the learning rate, but one set it to {now.rate} in this fit: "
            "remove that LearningRateScheduler, ReduceLROnPlateau, second KerasCallback or the like"
        )


def _inner(optimizer: Any) -> Any:
    """The optimizer that makes the updates, which a LossScaleOptimizer holds."""
    return getattr(optimizer, "inner_optimizer", optimizer)


class BatchLoss:
    """A batch's own loss, from the sums behind Keras' mean of the epoch so far: their growth over the batch.

    The sums are float32, so after B batches of an epoch a loss is exact to about B * 6e-8 of the epoch's mean. They
    are read before each batch too, and compared with the mean that Keras logged after it. ``model.evaluate`` in another
    callback resets them: that is right before ``begin`` and after ``end``, and noticed between them.
    """

    def __init__(self, model: Any) -> None:
        means = (metric for metric in model.metrics if isinstance(metric, keras.metrics.Mean))
        self._mean: Any = next((mean for mean in means if mean.name == "loss"), None)
        if self._mean is None:
            raise ValueError("KerasCallback: the model must have Keras' own metric 'loss', a keras.metrics.Mean")
        self._before, self._reset = (0.0, 0.0), False

    def begin(self) -> None:
        """Before a batch."""
        self._before, self._reset = self._sums(), False
        # Sums that were reset and have grown again look like any others: only the call itself tells.
        self._mean.reset_state = self._reset_state  # hides the class's method, until ``end``

    def _reset_state(self) -> None:
        self._reset = True
        type(self._mean).reset_state(self._mean)

    def end(self, logs: Mapping[str, Any]) -> float:
        """The loss, after the batch, whose ``logs`` have the mean: NaN where that is no longer finite."""
        vars(self._mean).pop("reset_state", None)
        (total, count), (before, counted) = self._sums(), self._before
        logged = float(logs.get("loss", math.nan))
        if self._reset:
            raise ValueError(
                "KerasCallback: a batch's loss cannot be determined, for the model's metric 'loss' was reset during "
                "the batch: a callback that evaluates must stand before this one if it does so as a batch begins, and "
                "after it if as a batch ends"
            )
        if "loss" in logs and not math.isfinite(logged):
            return math.nan
        if count <= counted or not math.isclose(total / count, logged, rel_tol=1e-5, abs_tol=1e-30):
            raise ValueError(
                "KerasCallback: a batch's loss cannot be determined, for the model's metric 'loss' does not hold the "
                "mean that Keras logs: train_step must update it"
            )
        return (total - before) / (count - counted)

    def _sums(self) -> tuple[float, float]:
        return float(self._mean.total), float(self._mean.count)
