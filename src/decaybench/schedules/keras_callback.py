"""Any schedule that Keras can follow as a callback of ``model.fit``."""

from typing import Any

import torch

from decaybench.schedules.adapter import TorchScheduler
from decaybench.schedules.base import Reactive, Schedule

try:
    import keras
except ModuleNotFoundError as error:
    if error.name != "keras":  # Keras is there, its backend is not
        raise
    raise ImportError("KerasCallback needs Keras 3: pip install 'decaybench[keras]'") from None


class KerasCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Sets the optimizer's learning rate before every update of ``model.fit``: its own at the start, times the scale.

    ``total_steps`` is the run's updates, ``steps_per_epoch`` the batches that Keras trains on in an epoch. A rule with
    signal "epoch" is shown Keras' ``loss`` at each epoch's end (which has the layers' regularizers in it), one with
    "held_out" its ``val_loss``. Rules of every update are refused: Keras shows a batch's loss after its step, and no
    gradients. Updates are counted across calls of ``fit``; a run is resumed exactly with ``state_dict`` and
    ``load_state_dict``.

    Raises ValueError as Bank does, for a rule that is refused, and in ``fit`` where a batch is not an update, an
    epoch's batches are not ``steps_per_epoch`` or ``val_loss`` is missing.
    """

    def __init__(self, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        super().__init__()
        if isinstance(schedule, Reactive) and schedule.when == "update":
            seen = "gradients, which Keras shows no callback" if schedule.observes else "each loss before its update"
            raise ValueError(f"KerasCallback: {schedule.kind} looks at {seen}: TorchScheduler can show them")
        self.schedule = schedule
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._make(1.0)  # what is wrong with the sizes is said here, not in fit
        self._scheduler: TorchScheduler | None = None

    def _make(self, base_lr: float) -> TorchScheduler:
        """The schedule on a stand-in for Keras' optimizer, which has no update to make."""
        stand_in = torch.optim.SGD([torch.zeros(1)], lr=base_lr)
        return TorchScheduler(stand_in, self.schedule, self._total_steps, self._steps_per_epoch)

    def on_train_begin(self, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        steps = self.params.get("steps") or self._steps_per_epoch  # a generator's are not known beforehand
        for name, expected, got in (
            ("steps_per_execution", 1, self.model.steps_per_execution),
            ("gradient_accumulation_steps", 1, optimizer.gradient_accumulation_steps or 1),
            ("steps_per_epoch", steps, self._steps_per_epoch),
        ):
            if got != expected:
                raise ValueError(f"KerasCallback: {name} must be {expected} in this fit, got {got}")
        if self._scheduler is None:
            self._scheduler = self._make(float(optimizer.learning_rate))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch >= self._steps_per_epoch:
            raise ValueError(
                f"KerasCallback: steps_per_epoch must be {batch + 1} or more in this fit, got {self._steps_per_epoch}"
            )
        self.model.optimizer.learning_rate = self._begun().get_last_lr()[0]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._begun().step()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not isinstance(self.schedule, Reactive):
            return
        name = "val_loss" if self.schedule.held_out else "loss"
        if name not in (logs or {}):
            raise ValueError(
                f"{self.schedule.kind} watches {name} each epoch: give fit validation_data and no validation_freq"
            )
        self._begun().observe(float(logs[name]))

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly from here, with an equal schedule; RuntimeError before any training."""
        return self._begun().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``state_dict``, with its base learning rate."""
        self._scheduler = self._make(1.0)
        self._scheduler.load_state_dict(state_dict)

    def _begun(self) -> TorchScheduler:
        if self._scheduler is None:
            raise RuntimeError("KerasCallback has no state before training has begun")
        return self._scheduler
