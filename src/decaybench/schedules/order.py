"""Check the order and number of a training loop's calls; like torch, warn once for each kind of fault."""

import warnings

from torch import distributed

from decaybench.schedules.base import Reactive, Schedule

IGNORED = 50  # a gradient scaler never skips so many updates in a row: that would divide its scale by 2**50


def too_long_a_warmup(schedule: Schedule, total_steps: int) -> str | None:
    """The message for a warmup that is longer than the run of ``total_steps`` updates; None for any other."""
    if round(schedule.warmup) <= total_steps:
        return None
    return (
        f"{schedule.kind}: a warmup of {schedule.warmup:g} updates is longer than the run of {total_steps}, which "
        "never reaches the base learning rate"
    )


class Watch:
    """Counts the calls between two steps and warns of faults.

    Call its methods directly from the methods that a user calls, so that a warning names the user's line. What
    frameworks do by design is not a fault: accelerate steps once per process, and a gradient scaler skips updates whose
    loss was observed.
    """

    def __init__(self, schedule: Schedule, total_steps: int, steps_per_epoch: int) -> None:
        self._kind = schedule.kind
        self._when = schedule.when if isinstance(schedule, Reactive) else None
        self._total_steps, self._steps_per_epoch = total_steps, steps_per_epoch
        self._updated = False  # whether there was any update
        self._updates = 0  # updates since the last step
        self._shown = 0  # losses observed since the last step
        self._taken = 0  # of these, the losses that the rule did not ignore
        self._taken_before = 0  # the same number between the two previous steps
        self._idle = 0  # consecutive steps without an update
        self._unstepped = 0  # consecutive updates without a step of their own
        self._ignored = 0  # consecutive losses that the rule ignored
        self.in_sequence = False  # whether a SequentialLR decides when to step
        self._resumed = False  # whether a run was just resumed, so that earlier calls are unknown
        self.observed_at = 0  # updates made when an epoch's loss was last observed
        self._warned: set[str] = set()
        if message := too_long_a_warmup(schedule, total_steps):
            self._warn("warmup", message)

    @property
    def wants_a_step(self) -> bool:
        """Whether there was an update since the last step."""
        return self._updates > 0

    def updated(self, counts: bool) -> None:
        """Note an update of the optimizer; ``counts`` is False if the scheduler does not control it."""
        self._updated, self._updates = True, self._updates + 1
        self._unstepped += counts and not self.in_sequence
        if self._unstepped > self._steps_per_epoch:  # after exactly one epoch's updates, a step may still follow
            self._behind(stacklevel=6)

    def _behind(self, stacklevel: int = 5) -> None:
        """Warn if a whole epoch's updates had no step."""
        if self._unstepped >= self._steps_per_epoch > 1:
            self._warn("behind", self._stepless(), stacklevel)

    def _stepless(self) -> str:
        return (
            f"step() was not called after each optimizer.step(): {self._kind} counts updates and falls behind. Call "
            "it once per update, as in loss.backward(); optimizer.step(); scheduler.step(). In Lightning, set "
            "'interval': 'step' and 'frequency': 1"
        )

    def resumed(self, observed_at: int) -> None:
        """Note that a run was resumed, so that the calls just before are unknown."""
        self.observed_at, self._resumed = observed_at, True
        self._updates = self._unstepped = 0

    def observing(self, step: int, taken: bool, loss: float, still: bool) -> None:
        """Note that ``loss`` was observed after ``step`` steps.

        ``taken`` is False if the rule ignored it; ``still`` is True if every gradient is 0.
        """
        made = step + (self._updates > 0)  # an epoch's observe() may come just before its last step() or just after
        self._behind()
        if not self._resumed and "behind" not in self._warned:  # falling behind causes other faults
            fault, message = self._of_epoch(made) if self._when == "epoch" else self._of_update(taken)
            if message:
                self._warn(fault, message)
        if still and loss > 0:
            self._warn(
                "still",
                f"observe() was called while every gradient was 0, with a loss of {loss:g}: {self._kind} looks at "
                "gradients. Call observe(loss) between loss.backward() and optimizer.step(), and zero_grad() before "
                "backward() or after step()",
            )
        self._ignored = 0 if taken else self._ignored + 1
        if self._ignored == IGNORED:
            self._warn(
                "ignored",
                f"{self._kind} has ignored the last {IGNORED} losses: each was not finite, or the products of "
                "gradients that it looks at were not",
            )
        if self._when == "epoch":
            self.observed_at = made
        self._shown += 1
        self._taken += taken

    def _of_update(self, taken: bool) -> tuple[str, str]:
        """Check an update rule's call of observe(): returns the kind of fault and the message, both empty if none."""
        if self._updates and self._shown:
            return "behind", self._stepless()
        if self._updates:
            return "late", (
                f"observe() was called after optimizer.step(): {self._kind} sets the learning rate of the very update "
                "whose loss it observes. Call observe(loss) between loss.backward() and optimizer.step()"
            )
        if taken and self._taken and self._taken_before > 1:  # tolerate it once: updates may have been skipped
            return "twice", (
                f"observe() was called several times before step(), twice in a row: {self._kind} needs one loss per "
                "update. If an update accumulates several micro-batches, call observe() once, with their mean loss"
            )
        return "", ""

    def _of_epoch(self, made: int) -> tuple[str, str]:
        """The same for an epoch rule, after ``made`` updates.

        Skipped updates and a dropped last batch make an epoch a little shorter than ``steps_per_epoch``, so only less
        than about half of that is a fault.
        """
        since = made - self.observed_at
        if 2 * since > self._steps_per_epoch:
            return "", ""
        return "often", self._wants(
            f"observe() was called only {since} update{'s' if since != 1 else ''} after the previous observe() (or the "
            "start)"
        )

    def stepping(self, before: int, step: int, handed: bool) -> None:
        """Check a call of ``step()`` from ``before`` to ``step``; ``handed``: the caller passed the number."""
        self.beyond("step() was called for", step, stacklevel=5)
        if self._resumed or step <= before:
            return
        if not handed:
            self._behind()
        if not self._updates and not handed and self._idle + 1 >= (_processes() if self._updated else 1):
            self._warn(
                "update",
                "step() was called without an optimizer.step() since the last step(): call it once after each update, "
                "as in loss.backward(); optimizer.step(); scheduler.step(). If a gradient scaler skipped the "
                "update, skip step() too",
            )
        if self._when == "update" and not self._shown and (self._updates or not self._updated):
            self._warn(
                "loss",
                f"step() was called without an observe(loss) since the last step(): {self._kind} reacts to the loss of "
                "each update. Call observe(loss) between loss.backward() and optimizer.step()",
            )
        since = step - self.observed_at
        if self._when == "epoch" and step == before + 1 and 2 * since >= 3 * self._steps_per_epoch:
            self._warn("missed", self._wants(f"step() was called {since} times since the last observe(loss)"))

    def beyond(self, what: str, step: int, stacklevel: int = 4) -> None:
        """Warn if ``step`` is past the run's end."""
        if step > self._total_steps:
            self._warn(
                "beyond",
                f"{what} update {step} of a run of total_steps = {self._total_steps}: {self._kind} stays at its end "
                "from here on",
                stacklevel,
            )

    def stepped(self, before: int, step: int) -> None:
        """Note that ``step()`` has moved from ``before`` to ``step``."""
        self._idle = 0 if self._updates else self._idle + 1
        self._taken_before = self._taken
        self._unstepped = self._unstepped - 1 if self._updates > 1 and step == before + 1 else 0
        self._updates = self._shown = self._taken = 0
        self._resumed = step != before + 1
        if self._resumed:
            self.observed_at = step

    def _wants(self, what: str) -> str:
        return (
            f"{what}: {self._kind} needs one loss per epoch, at its end, and an epoch has steps_per_epoch = "
            f"{self._steps_per_epoch} updates"
        )

    def _warn(self, fault: str, message: str, stacklevel: int = 4) -> None:
        if fault not in self._warned:
            self._warned.add(fault)
            warnings.warn(message, UserWarning, stacklevel)


def _processes() -> int:
    """The number of processes; accelerate calls ``step()`` as many times per update."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
