"""`KerasCallback`: any schedule that Keras can follow, as a callback of ``model.fit``."""

import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from decaybench.schedules.base import Reactive, Schedule
from decaybench.schedules.checkpoint import pack, unpack
from decaybench.schedules.order import too_long_a_warmup
from decaybench.schedules.rates import Rates

try:
    import keras
except ModuleNotFoundError as error:
    if error.name != "keras":  # Keras is installed, but its backend is not
        raise
    how = "install its extra, python3 -m pip install -e '.[keras]' in a clone"
    raise ImportError(f"KerasCallback needs Keras 3: {how}") from None

from decaybench.schedules.keras_backup import Backup
from decaybench.schedules.keras_model import BatchLoss, base_rate, check_optimizer, check_unmoved, check_updates, found


class KerasCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Sets the optimizer's learning rate before each update of ``model.fit``, to the base times the schedule's scale.

    ``total_steps`` is the number of updates in the run. ``steps_per_epoch`` is the number of batches per epoch,
    including a partial last one. Batch b of epoch e, both counted from 0, is update e * steps_per_epoch + b. Epochs are
    numbered as in fit, so ``initial_epoch`` and BackupAndRestore determine where in the run a fit starts. A fit that
    starts at epoch 0 continues after the epochs that this callback has already trained. An interrupted epoch is trained
    again from its start. Use a callback for one run only, with one model and one optimizer.

    The base learning rate is ``base_lr``. By default it is the optimizer's learning rate when fit starts, before
    BackupAndRestore restores another. If the optimizer has already made updates, that rate may be a decayed one, so
    ``base_lr`` is required.

    What a reactive rule observes depends on its ``signal``:

    * "epoch": Keras' ``loss`` at the end of each epoch.
    * "held_out": ``val_loss`` at the end of each epoch.
    * "batch" or "ema": the loss of each batch. Keras reports it after the update, so the rule acts one update late, and
      update 0 has the base learning rate. The rule does not observe a loss that is not finite, nor those after it in
      the same epoch, because they cannot be separated from it in Keras' sums.

    A rule that has a ``mode`` can observe another entry of the epoch's logs, which ``monitor`` names (for example
    "val_accuracy", with mode "max"). Losses are what Keras minimises: they include regularizers, added losses and
    sample weights.

    A reactive rule cannot start inside a run without its earlier state. Pass this to ``load_state_dict``, or give
    ``backup_dir``, the folder of a BackupAndRestore. The callback then saves its state there (in decaybench.pt) at the
    end of each epoch, and loads the state of the epoch at which fit starts. It must then be first in the list of
    callbacks: if BackupAndRestore comes before it, a run that is interrupted between the two cannot be resumed.

    Raises ValueError like `Bank`, and for a rule that looks at gradients. ``fit`` raises ValueError:

    * before the first update, for a learning rate that cannot be set or is not above 0; for another model or optimizer;
      for epochs beyond ``total_steps`` or without the state that they need; if batches are not one update each; and if
      the number of batches per epoch is not ``steps_per_epoch`` (at the latest when the first epoch ends, if Keras does
      not know it before);
    * at the end of the first epoch, if the logs lack the entry that the rule observes;
    * as soon as another callback sets the learning rate.
    """

    def __init__(
        self,
        schedule: Schedule,
        total_steps: int,
        steps_per_epoch: int,
        *,
        base_lr: float | None = None,
        monitor: str | None = None,
        backup_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(schedule, Reactive) and schedule.observes:
            raise ValueError(
                f"KerasCallback: {schedule.kind} looks at gradients, which Keras does not pass to callbacks: "
                "use TorchScheduler"
            )
        if monitor is not None and not (isinstance(monitor, str) and monitor):
            raise ValueError(f'KerasCallback: monitor must be a name, such as "val_accuracy", got {monitor!r}')
        if monitor is not None and not hasattr(schedule, "mode"):
            raise ValueError(f"KerasCallback: monitor needs a rule with a mode, but {schedule.kind} observes a loss")
        if getattr(schedule, "mode", "min") == "max" and monitor is None:
            raise ValueError(f'KerasCallback: {schedule.kind} with mode "max" needs monitor, such as "val_accuracy"')
        self.schedule = schedule
        self.base_lr = None if base_lr is None else base_rate("base_lr", base_lr)
        self.monitor = monitor
        # The base learning rate is not known before fit; 1 stands for it here, so that wrong sizes are refused now.
        self._fresh = Rates.begin(schedule, (1.0,), total_steps, steps_per_epoch)
        if message := too_long_a_warmup(schedule, self._fresh.total_steps):
            warnings.warn(message, stacklevel=2)
        self._rates: Rates | None = None  # at the start of the current epoch, or between epochs of the next one
        self._running: Rates | None = None  # the same, plus the current epoch's losses so far
        self._backup = None if backup_dir is None else Backup(backup_dir)
        self._optimizer: Any = None  # the one whose learning rate this callback sets
        self._found = found(None)  # the optimizer as it was when fit started
        self._left = found(None)  # the optimizer as this callback last left it
        self._fit_begins = False
        self._batches = 0
        self._batch_loss: BatchLoss | None = None

    @property
    def _when(self) -> str | None:
        return self.schedule.when if isinstance(self.schedule, Reactive) else None

    def set_model(self, model: Any) -> None:
        """Record the optimizer's learning rate. Keras calls this before any callback can restore another."""
        super().set_model(model)
        self._found, self._fit_begins = found(self.model), False

    def on_train_begin(self, logs: Any = None) -> None:
        """Check whatever can be checked before the number of the first epoch is known."""
        if self._fit_begins:
            raise ValueError("KerasCallback: one callback must be in fit's callbacks only once, got it twice")
        optimizer = self.model.optimizer
        check_optimizer(optimizer)
        check_updates(self.model)
        mine, steps = self._fresh.steps_per_epoch, self.params.get("steps")
        if steps not in (None, mine):  # None: Keras does not know them beforehand, as for an iterator
            raise ValueError(f"KerasCallback: steps_per_epoch must be {steps} in this fit, got {mine}")
        if self._optimizer is not None and optimizer is not self._optimizer:
            raise ValueError(
                "KerasCallback: one callback is for one run, and this one has trained another model or optimizer: "
                "make a new one"
            )
        if optimizer is not self._found.optimizer:  # the model was compiled in the meantime
            self._found = found(self.model)
        self._left = self._found
        self._batch_loss = BatchLoss(self.model) if self._when == "update" else None
        self._fit_begins = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """At the first epoch of a fit, determine from its number where in the run the fit starts."""
        if self._fit_begins:
            self._rates = self._begin(epoch)
            self._optimizer = self.model.optimizer
        self._running = self._rates
        self._fit_begins, self._batches = False, 0

    def _begin(self, first: int) -> Rates:
        """The rates at the start of a fit whose first epoch is ``first``."""
        steps, total = self._fresh.steps_per_epoch, self._fresh.total_steps
        rates = self._rates
        if first and (rates is None or rates.step != first * steps):
            rates = self._kept(first) or rates
        trained = 0 if rates is None else rates.step // steps
        if first not in (0, trained):
            if self._when is not None:
                need = "give it the state at that epoch, by load_state_dict or backup_dir"
                if self._backup is not None:
                    must = "KerasCallback must come before BackupAndRestore in the list"
                    need = f"{self._backup.file} has no state for that epoch ({must})"
                raise ValueError(
                    f"KerasCallback: fit starts at epoch {first}, but {self.schedule.kind} has observed {trained} "
                    f"epochs: {need}"
                )
            trained = first  # a fixed schedule needs only the time
        if rates is None:
            rates = Rates.begin(self.schedule, (self._base(first),), total, steps)
        last = trained + self.params.get("epochs", first) - first
        if last * steps > total:
            raise ValueError(
                f"KerasCallback: total_steps must be at least {last * steps}, since this fit ends after {last} epochs, "
                f"{trained} of them trained before, got {total}"
            )
        return replace(rates, step=trained * steps)

    def _base(self, first: int) -> float:
        """The base learning rate of a run for which this callback has no state."""
        _, updates, rate = self._found
        now = found(self.model).updates
        if first == 0 and updates == 0 and now > self._fresh.steps_per_epoch:
            # If interrupted twice in one epoch, BackupAndRestore with a save_freq in batches loses the epoch's number.
            raise ValueError(f"KerasCallback: initial_epoch must be given: {now} updates were restored, but no epoch")
        if self.base_lr is not None:
            return self.base_lr
        if updates:
            raise ValueError(
                f"KerasCallback: base_lr must be given: the optimizer has made {updates} updates, "
                f"so its learning rate, {rate:g}, may be a decayed one"
            )
        return base_rate("the optimizer's learning_rate", rate)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the learning rate of the next update."""
        rates, steps = self._begun(self._running), self._fresh.steps_per_epoch
        if batch >= steps:  # happens only if Keras did not know the number of batches
            raise ValueError(
                "KerasCallback: steps_per_epoch must be the number of batches in an epoch, but this one has more than "
                f"{steps}: if the data are endless, give fit steps_per_epoch={steps} too"
            )
        check_unmoved(found(self.model), self._left, 0)
        (self.model.optimizer.learning_rate,) = replace(rates, step=rates.step + batch).now()
        self._left = found(self.model)
        if self._batch_loss is not None:
            self._batch_loss.begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the batch and pass its loss to an update rule."""
        self._batches = batch + 1
        now = found(self.model)  # with the JAX backend this also updates the model's variables for the code below
        check_unmoved(now, self._left, 1)
        self._left = now
        if self._batch_loss is not None:
            self._running = self._begun(self._running).observed(self._batch_loss.end(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Count the epoch and pass the monitored value to an epoch rule."""
        rates = self._begun(self._running)
        if self._batches < rates.steps_per_epoch:
            if self.model.stop_training:
                return  # a callback stopped training within the epoch, so the epoch did not end
            raise ValueError(
                f"KerasCallback: steps_per_epoch must be {self._batches}, the batches of epoch {epoch}, "
                f"got {rates.steps_per_epoch}"
            )
        if self._when == "epoch":
            rates = rates.observed(self._watched(logs or {}))
        self._rates = replace(rates, step=rates.step + rates.steps_per_epoch)
        if self._backup is not None:
            self._backup.keep(self._rates.step // self._rates.steps_per_epoch, self.state_dict())

    def _watched(self, logs: Mapping[str, Any]) -> float:
        name = self.monitor or ("val_loss" if getattr(self.schedule, "held_out", False) else "loss")
        if name not in logs:
            unseen = name.startswith("val_") and not any(key.startswith("val_") for key in logs)
            raise ValueError(
                f"KerasCallback: {self.schedule.kind} observes {name} each epoch, but this one has {', '.join(logs)}"
                + (": give fit validation_data and no validation_freq" if unseen else "")
            )
        return float(logs[name])

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue exactly from the start of the current epoch, which is then trained again.

        A callback that saves it at the end of an epoch must come after this one in the list. Raises RuntimeError before
        any training.
        """
        return pack(self._begun(self._rates)) | {"monitor": self.monitor}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from ``state_dict``, with its base learning rate, on the model that is trained next.

        Raises ValueError for the state of another schedule or run, and for a value that ``state_dict`` never returns.
        """
        self._rates, self._optimizer = self._unpacked(state_dict), None

    def _unpacked(self, state: Any) -> Rates:
        rates = unpack(self._fresh, state)
        (base,) = rates.base_lrs
        # A base learning rate that was read from an optimizer is rounded to float32.
        if self.base_lr is not None and not math.isclose(self.base_lr, base, rel_tol=1e-6):
            raise ValueError(f"base_lr must be {base:.7g}, to match this state, got {self.base_lr!r}")
        if self.monitor != (monitor := state.get("monitor")):
            raise ValueError(f"monitor must be {monitor!r}, to match this state, got {self.monitor!r}")
        if rates.step % rates.steps_per_epoch:
            raise ValueError(f"state_dict: step must be an epoch's first, got {rates.step}")
        return rates

    def _kept(self, epoch: int) -> Rates | None:
        """The rates that the backup has for ``epoch``, if any."""
        if self._backup is None or (state := self._backup.at(epoch)) is None:
            return None
        try:
            return self._unpacked(state)
        except ValueError as error:
            raise ValueError(f"KerasCallback: {self._backup.file}: {error}") from None

    @staticmethod
    def _begun(rates: Rates | None) -> Rates:
        if rates is None:
            raise RuntimeError("KerasCallback has no state before training has begun")
        return rates
