"""Any schedule that Keras can follow as a callback of ``model.fit``."""

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
    if error.name != "keras":  # Keras is there, its backend is not
        raise
    raise ImportError("KerasCallback needs Keras 3: pip install 'decaybench[keras]'") from None

from decaybench.schedules.keras_backup import Backup
from decaybench.schedules.keras_model import BatchLoss, base_rate, check_optimizer, check_unmoved, check_updates, found


class KerasCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Sets the optimizer's learning rate before every update of ``model.fit``: the base times the schedule's scale.

    ``total_steps`` is the run's updates, ``steps_per_epoch`` the batches that Keras trains on in an epoch, a partial
    last one included. Batch b of epoch e, both counted from 0, is update e * steps_per_epoch + b. An epoch's number is
    fit's, so ``initial_epoch`` and BackupAndRestore say where in the run a fit begins; a fit that begins at epoch 0
    goes on after the epochs that this callback has trained. An epoch that was interrupted is trained again from its
    beginning. One callback is for one run, of one model with one optimizer.

    The base learning rate is ``base_lr``, or else the optimizer's own as fit finds it, before BackupAndRestore restores
    another. An optimizer that has made updates by then may hold a decayed one, so it needs ``base_lr``.

    A rule with signal "epoch" is shown Keras' ``loss`` at each epoch's end, one with "held_out" its ``val_loss``, one
    that has a ``mode`` the entry of the epoch's logs that ``monitor`` names ("val_accuracy", with mode "max"). A rule
    of every update (signal "batch" or "ema") is shown each batch's own loss, which Keras reports after the update: it
    acts one update late, and update 0 has the base learning rate. These losses are what Keras minimises, regularizers,
    added losses and sample weights included. A batch's loss that is not finite is not shown, nor are those after it in
    its epoch, which cannot be taken out of Keras' sums any more.

    A reactive rule cannot begin inside a run without what it has seen. ``load_state_dict`` gives it that; or give
    ``backup_dir``, the folder of a BackupAndRestore: the callback writes its own state there (decaybench.pt) at each
    epoch's end, and takes the one that belongs to the epoch that fit begins with. It must then stand first in the list:
    where BackupAndRestore stands before it, a run that is interrupted between the two cannot be resumed.

    Raises ValueError as Bank does, and for a rule that looks at gradients. In fit, before the first update: for a
    learning rate that cannot be set or is not above 0, another model or optimizer, epochs beyond ``total_steps`` or
    without the state that they need, batches that are not one update each, and other batches in an epoch than
    ``steps_per_epoch``; at the first epoch's end where Keras does not know these, or there is no ``val_loss``; and as
    soon as another callback sets the learning rate.
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
                f"KerasCallback: {schedule.kind} looks at gradients, which Keras does not show to callbacks: "
                "TorchScheduler can show them"
            )
        if monitor is not None and not (isinstance(monitor, str) and monitor):
            raise ValueError(f'KerasCallback: monitor must be a name, such as "val_accuracy", got {monitor!r}')
        if monitor is not None and not hasattr(schedule, "mode"):
            raise ValueError(f"KerasCallback: monitor is for a rule that has a mode: {schedule.kind} watches a loss")
        if getattr(schedule, "mode", "min") == "max" and monitor is None:
            raise ValueError(f'KerasCallback: {schedule.kind} with mode "max" needs monitor, such as "val_accuracy"')
        self.schedule = schedule
        self.base_lr = None if base_lr is None else base_rate("base_lr", base_lr)
        self.monitor = monitor
        # Its base is known in fit; what is wrong with the sizes is said here.
        self._fresh = Rates.begin(schedule, (1.0,), total_steps, steps_per_epoch)
        if message := too_long_a_warmup(schedule, self._fresh.total_steps):
            warnings.warn(message, stacklevel=2)
        self._rates: Rates | None = None  # at the beginning of the epoch that is trained, or comes next
        self._running: Rates | None = None  # the same, with the losses of the epoch that is trained
        self._backup = None if backup_dir is None else Backup(backup_dir)
        self._optimizer: Any = None  # the one whose learning rate this callback sets
        self._found = found(None)  # as fit found the optimizer
        self._left = found(None)  # as this callback left it
        self._fit_begins = False
        self._batches = 0
        self._batch_loss: BatchLoss | None = None

    @property
    def _when(self) -> str | None:
        return self.schedule.when if isinstance(self.schedule, Reactive) else None

    def set_model(self, model: Any) -> None:
        """Note the optimizer's learning rate: Keras calls this before any callback may restore another."""
        super().set_model(model)
        self._found, self._fit_begins = found(self.model), False

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse what is known to be wrong before the first epoch's number is."""
        if self._fit_begins:
            raise ValueError("KerasCallback: one callback must stand once in fit's callbacks, got it twice")
        optimizer = self.model.optimizer
        check_optimizer(optimizer)
        check_updates(self.model)
        mine, steps = self._fresh.steps_per_epoch, self.params.get("steps")
        if steps not in (None, mine):  # None: of an iterator they are not known beforehand
            raise ValueError(f"KerasCallback: steps_per_epoch must be {steps} in this fit, got {mine}")
        if self._optimizer is not None and optimizer is not self._optimizer:
            raise ValueError(
                "KerasCallback: one callback is for one run, and this one has trained another model or optimizer: "
                "make a new one"
            )
        if optimizer is not self._found.optimizer:  # compiled in the meantime
            self._found = found(self.model)
        self._left = self._found
        self._batch_loss = BatchLoss(self.model) if self._when == "update" else None
        self._fit_begins = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """The first epoch's number tells where in the run a fit begins."""
        if self._fit_begins:
            self._rates = self._begin(epoch)
            self._optimizer = self.model.optimizer
        self._running = self._rates
        self._fit_begins, self._batches = False, 0

    def _begin(self, first: int) -> Rates:
        """Where the run is as a fit begins whose first epoch is ``first``."""
        steps, total = self._fresh.steps_per_epoch, self._fresh.total_steps
        rates = self._rates
        if first and (rates is None or rates.step != first * steps):
            rates = self._kept(first) or rates
        trained = 0 if rates is None else rates.step // steps
        if first not in (0, trained):
            if self._when is not None:
                need = "give it the state of then, by load_state_dict or backup_dir"
                if self._backup is not None:
                    must = "KerasCallback must stand before BackupAndRestore in the list"
                    need = f"{self._backup.file} has no state of then ({must})"
                raise ValueError(
                    f"KerasCallback: fit begins at epoch {first}, but {self.schedule.kind} has seen {trained} epochs: "
                    + need
                )
            trained = first  # time is all that a fixed schedule needs
        if rates is None:
            rates = Rates.begin(self.schedule, (self._base(first),), total, steps)
        last = trained + self.params.get("epochs", first) - first
        if last * steps > total:
            raise ValueError(
                f"KerasCallback: total_steps must be at least {last * steps}, for this fit ends after {last} epochs, "
                f"{trained} of them trained before, got {total}"
            )
        return replace(rates, step=trained * steps)

    def _base(self, first: int) -> float:
        """The base learning rate of a run that this callback has no state of."""
        _, updates, rate = self._found
        now = found(self.model).updates
        if first == 0 and updates == 0 and now > self._fresh.steps_per_epoch:
            # Interrupted twice in one epoch, BackupAndRestore with a save_freq in batches forgets which epoch it was.
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
        """Set the learning rate of the update that comes."""
        rates, steps = self._begun(self._running), self._fresh.steps_per_epoch
        if batch >= steps:  # Keras did not know how many there are
            raise ValueError(
                "KerasCallback: steps_per_epoch must be the number of batches in an epoch, but this one has more than "
                f"{steps}: where the data have no end, give fit steps_per_epoch={steps} too"
            )
        check_unmoved(found(self.model), self._left, 0)
        (self.model.optimizer.learning_rate,) = replace(rates, step=rates.step + batch).now()
        self._left = found(self.model)
        if self._batch_loss is not None:
            self._batch_loss.begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the batch, and show its loss to a rule of every update."""
        self._batches = batch + 1
        now = found(self.model)  # on JAX this brings the model's variables up to date, for what follows too
        check_unmoved(now, self._left, 1)
        self._left = now
        if self._batch_loss is not None:
            self._running = self._begun(self._running).observed(self._batch_loss.end(logs or {}))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Count the epoch, and show a rule of every epoch what it watches."""
        rates = self._begun(self._running)
        if self._batches < rates.steps_per_epoch:
            if self.model.stop_training:
                return  # by a callback within the epoch, which is not over then
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
                f"KerasCallback: {self.schedule.kind} watches {name} each epoch, but this one has {', '.join(logs)}"
                + (": give fit validation_data and no validation_freq" if unseen else "")
            )
        return float(logs[name])

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on exactly from this epoch's beginning, as the epoch is trained again.

        RuntimeError before any training.

        A callback that saves it at an epoch's end must stand after this one, which ends the epoch.
        """
        return pack(self._begun(self._rates)) | {"monitor": self.monitor}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from ``state_dict``, with its base learning rate, on the model that is trained next.

        Raises ValueError for what ``state_dict`` never returns, and for the state of another schedule or run.
        """
        self._rates, self._optimizer = self._unpacked(state_dict), None

    def _unpacked(self, state: Any) -> Rates:
        rates = unpack(self._fresh, state)
        (base,) = rates.base_lrs
        # What was read from an optimizer is float32.
        if self.base_lr is not None and not math.isclose(self.base_lr, base, rel_tol=1e-6):
            raise ValueError(f"base_lr must be {base:.7g}, to match this state, got {self.base_lr!r}")
        if self.monitor != (monitor := state.get("monitor")):
            raise ValueError(f"monitor must be {monitor!r}, to match this state, got {self.monitor!r}")
        if rates.step % rates.steps_per_epoch:
            raise ValueError(f"state_dict: step must be an epoch's first, got {rates.step}")
        return rates

    def _kept(self, epoch: int) -> Rates | None:
        """What the backup has for ``epoch``."""
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
