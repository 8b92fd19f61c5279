"""Read from a Keras model in training what KerasCallback needs: learning rate, updates and the loss of each batch."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras


class Found(NamedTuple):
    """A snapshot of an optimizer: the updates that it had made and its learning rate (None if it has none to read)."""

    optimizer: Any
    updates: int
    rate: float | None


def found(model: Any) -> Found:
    """Take a snapshot of the optimizer of ``model``. A model that was never compiled has none."""
    optimizer: Any = getattr(model, "optimizer", None)
    try:
        return Found(optimizer, int(optimizer.iterations), float(optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return Found(optimizer, 0, None)


def base_rate(name: str, rate: Any) -> float:
    """Return ``rate`` as a float. Raises ValueError unless it is a finite number above 0."""
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
    except (AttributeError, TypeError, ValueError):  # raised for a function or a LearningRateSchedule, for example
        held = getattr(_inner(optimizer), "_learning_rate", None)
        got = "none" if held is None else f"one of type {type(held).__name__}"
        raise ValueError(
            f"KerasCallback: the optimizer's learning_rate must be a number that can be set, got {got}"
        ) from None


def check_updates(model: Any) -> None:
    """Raise ValueError unless Keras makes one update per batch and calls its callbacks for each."""
    for name, got in (
        ("steps_per_execution", model.steps_per_execution),
        ("gradient_accumulation_steps", getattr(_inner(model.optimizer), "gradient_accumulation_steps", None) or 1),
    ):
        if got != 1:
            raise ValueError(f"KerasCallback: {name} must be 1 in this fit, got {got}")


def check_unmoved(now: Found, left: Found, updates: int) -> None:
    """Raise ValueError if the learning rate changed since ``left``, at most ``updates`` updates ago.

    Any other change of the number of updates means that the whole optimizer was restored, as by BackupAndRestore.
    """
    if now.rate != left.rate and 0 <= now.updates - left.updates <= updates:
        raise ValueError(
            f"KerasCallback: no other callback may set the learning rate, but one set it to {now.rate} in this fit: "
            "remove that LearningRateScheduler, ReduceLROnPlateau, second KerasCallback or the like"
        )


def _inner(optimizer: Any) -> Any:
    """Unwrap the optimizer that makes the updates from a LossScaleOptimizer."""
    return getattr(optimizer, "inner_optimizer", optimizer)


class BatchLoss:
    """Computes the loss of each batch.

    Keras logs only the mean of the epoch so far. The loss of a batch is the change of the sums behind that mean. The
    sums are float32, so after B batches of an epoch, a loss is exact to about B * 6e-8 of the epoch's mean. As a check,
    the sums are compared with the mean that Keras logs. ``model.evaluate`` in another callback resets them; this is
    harmless outside ``begin`` and ``end``, and detected between the two.
    """

    def __init__(self, model: Any) -> None:
        means = (metric for metric in model.metrics if isinstance(metric, keras.metrics.Mean))
        self._mean: Any = next((mean for mean in means if mean.name == "loss"), None)
        if self._mean is None:
            raise ValueError("KerasCallback: the model must have Keras' own metric 'loss', a keras.metrics.Mean")
        self._before, self._reset = (0.0, 0.0), False

    def begin(self) -> None:
        """Call before each batch."""
        self._before, self._reset = self._sums(), False
        # Sums that were reset and have grown again look like any others, so the call itself must be noticed.
        self._mean.reset_state = self._reset_state  # hides the class's method until ``end``

    def _reset_state(self) -> None:
        self._reset = True
        type(self._mean).reset_state(self._mean)

    def end(self, logs: Mapping[str, Any]) -> float:
        """Return the batch's loss, given the ``logs`` after it; NaN if the mean in ``logs`` is no longer finite."""
        vars(self._mean).pop("reset_state", None)
        (total, count), (before, counted) = self._sums(), self._before
        logged = float(logs.get("loss", math.nan))
        if self._reset:
            raise ValueError(
                "KerasCallback: a batch's loss cannot be determined, since the model's metric 'loss' was reset during "
                "the batch: a callback that evaluates must come before this one if it does so when a batch begins, and "
                "after it if it does so when a batch ends"
            )
        if "loss" in logs and not math.isfinite(logged):
            return math.nan
        if count <= counted or not math.isclose(total / count, logged, rel_tol=1e-5, abs_tol=1e-30):
            raise ValueError(
                "KerasCallback: a batch's loss cannot be determined, since the model's metric 'loss' does not hold the "
                "mean that Keras logs: train_step must update it"
            )
        return (total - before) / (count - counted)

    def _sums(self) -> tuple[float, float]:
        return float(self._mean.total), float(self._mean.count)
