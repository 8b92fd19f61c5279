"""Whether a training loop's calls come in order and number: one warning for each kind of fault, as torch gives it."""

import warnings
from typing import Any

from decaybench.schedules.base import Reactive, Schedule


def too_long_a_warmup(schedule: Schedule, total_steps: int) -> str | None:
    """What is wrong with a warmup that a run of ``total_steps`` updates never ends; None if it does."""
    if schedule.warmup <= total_steps:
        return None
    return (
        f"{schedule.kind}: a warmup of {schedule.warmup:g} updates is longer than the run of {total_steps}: it never "
        "reaches the base learning rate, nor the schedule that comes after it"
    )


class Watch:
    """Counts the calls between two steps. Its methods are called by the methods that a user calls: so deep is the
    line that a warning names.
    """

    def __init__(self, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        self._kind = schedule.kind
        self._when = schedule.when if isinstance(schedule, Reactive) else None
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._updates = 0  # since the last step, as the other two
        self._shown = 0  # losses
        self._taken = 0  # losses that were not those of a skipped update
        self._resumed = False  # what came before is not known
        self.epochs = 0  # up to this one, epochs had their loss shown
        self._warned: set[str] = set()
        if message := too_long_a_warmup(schedule, total_steps):
            self._warn("warmup", message)

    def updated(self, *_: Any) -> None:
        """The optimizer made an update: a hook of its ``step``."""
        self._updates += 1

    def resumed(self, epochs: int) -> None:
        """A run is taken up after ``epochs`` epochs whose loss was shown: the calls just before are not known."""
        self.epochs, self._resumed = epochs, True

    def observing(self, step: int, taken: bool) -> None:
        """A loss is shown after ``step`` steps; ``taken`` is False for that of a skipped update."""
        fault, message = self._at_epoch(step) if self._when == "epoch" else self._at_update(taken)
        if message and not self._resumed:
            self._warn(fault, message)
        self._shown += 1
        self._taken += taken

    def _at_update(self, taken: bool) -> tuple[str, str]:
        """What is wrong with showing an update's loss now: a kind of fault, and the words; nothing if it is right."""
        if self._updates:
            return "late", (
                f"observe() was called after optimizer.step(): {self._kind} sets the learning rate of the very update "
                "whose loss it is shown. Call observe(loss) between loss.backward() and optimizer.step()"
            )
        if self._taken and taken:
            return "twice", (
                f"observe() was called again before step(): {self._kind} wants one loss per update. Where an update "
                "accumulates several micro-batches, call observe() once, with their mean loss (if a gradient scaler "
                "skipped the update in between, all is well)"
            )
        return "", ""

    def _at_epoch(self, step: int) -> tuple[str, str]:
        """The same for an epoch's loss, which is then counted."""
        done, rest = divmod(step, self._steps_per_epoch)
        ended = [done - 1] if rest == 0 else []  # just after the epoch's last step() ...
        ended += [done] if rest == self._steps_per_epoch - 1 else []  # ... or just before it
        new = [epoch for epoch in ended if epoch >= self.epochs]
        if new:
            self.epochs = new[0] + 1
            return "", ""
        when = "a second time for one epoch" if max(ended, default=-1) >= 0 else f"after {step} updates"
        return "epoch", (
            f"observe() was called {when}: {self._kind} wants one loss per epoch, at its end, and an epoch has "
            f"steps_per_epoch = {self._steps_per_epoch} updates"
        )

    def stepping(self, before: int, step: int, handed: bool) -> None:
        """``step()`` goes from ``before`` to ``step``; ``handed``: to a counter that was handed in."""
        if not self._resumed and not handed and not self._updates:
            self._warn(
                "update",
                "step() was called without an optimizer.step() since the last step(): call it once after each update, "
                "as in loss.backward(); optimizer.step(); scheduler.step(). Where a gradient scaler skipped the "
                "update, skip step() too",
            )
        if not self._resumed and self._when == "update" and not self._shown and step > before:
            self._warn(
                "loss",
                f"step() was called without an observe(loss) since the last step(): {self._kind} reacts to the loss of "
                "every update. Call observe(loss) between loss.backward() and optimizer.step()",
            )
        done, rest = divmod(before, self._steps_per_epoch)
        if not self._resumed and self._when == "epoch" and rest == 0 and done > self.epochs and step > before:
            self._warn(
                "missed",
                f"epoch {done - 1} (from 0) ended without an observe(loss): {self._kind} wants one loss per epoch, "
                f"and an epoch has steps_per_epoch = {self._steps_per_epoch} updates",
            )
        if step > self._total_steps:
            self._warn(
                "beyond",
                f"step() was called for update {step} of a run of total_steps = {self._total_steps}: {self._kind} "
                "stays at its end from here on",
            )

    def stepped(self, before: int, step: int) -> None:
        """``step()`` has gone from ``before`` to ``step``."""
        self._updates = self._shown = self._taken = 0
        self._resumed = step != before + 1
        if self._resumed:
            self.epochs = step // self._steps_per_epoch

    def _warn(self, fault: str, message: str) -> None:
        if fault not in self._warned:
            self._warned.add(fault)
            warnings.warn(message, UserWarning, stacklevel=4)
