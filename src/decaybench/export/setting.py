"""What is exported: one run's parameters and the conditions under which they were found."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from decaybench.data import Augmentation
from decaybench.findings import Pick, Results
from decaybench.optimizers import Use
from decaybench.schedules import Schedule
from decaybench.sweep import Arm, RunParameters, Sweep, from_params, size

WIDTH = 100


@dataclass(frozen=True)
class Setting:
    """One configuration of a strategy, in native units.

    ``length`` is a fraction of the sweep's epochs. ``steps_per_epoch`` and ``train_examples`` are those of the sweep.
    ``repeat`` and ``slot`` (the trial's index) count from 0, as in the database. ``found`` holds sentences about the
    configuration's origin.
    """

    sweep: Sweep
    arm: Arm
    parameters: RunParameters
    length: float
    steps_per_epoch: int
    train_examples: int
    repeat: int
    slot: int
    found: Sequence[str]

    @property
    def schedule(self) -> Schedule:
        return self.parameters.schedule

    @property
    def epochs(self) -> int:
        return self.sweep.epochs(self.length)

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def warmup(self) -> int:
        """The warmup in updates, rounded."""
        length: float = self.schedule.warmup
        return round(length)

    @property
    def augment(self) -> tuple[Augmentation, ...]:
        return self.sweep.task.augment or ()

    @property
    def use(self) -> Use:
        """What determines how the optimizer is written."""
        constant = self.arm.kind == "constant" and not self.warmup
        return Use(self.arm.form, float(self.parameters.momentum), float(self.parameters.weight_decay), constant)

    @property
    def decays_weights_only(self) -> bool:
        """Whether weight decay excludes the biases."""
        return self.parameters.weight_decay > 0 and not self.sweep.task.decay_biases

    def head(self) -> list[str]:
        """Comment lines for the top of every target."""
        task, arm = self.sweep.task, self.arm
        what = arm.label if arm.label == arm.kind else f"{arm.label} ({arm.kind})"
        batch = "batch gradient descent" if task.batch_size == "full" else f"batch size {task.batch_size}"
        model = f"{task.model}, dropout {task.dropout}" if task.dropout else task.model
        options = task.options(arm.average)
        length = f"{_count(self.epochs, 'epoch')} of {_count(self.steps_per_epoch, 'update')}"
        return [
            f"# {what} of the sweep {self.sweep.name}: repeat {self.repeat}, trial {self.slot}.",
            *(f"# {sentence}" for sentence in self.found),
            f"# {task.data}, {model}, {batch}: {length}. Times below are in these updates and epochs;",
            "# adapt them to other data or another batch size.",
            *([f"# Trained with {', '.join(options)}."] if options else []),
        ]


def picked_setting(results: Results, picked: Pick, found: Sequence[str]) -> Setting:
    """The configuration that was picked from a sweep; ``found`` holds sentences about its origin."""
    (part,) = results.sweep.parts
    run, arm = picked.run, results.sweep.arms[picked.run.strategy]
    examples = results.sweep.examples("train")
    return Setting(
        sweep=part.file,
        arm=arm,
        parameters=from_params(arm, run.params),
        length=run.length,
        steps_per_epoch=size(part.file, examples, run.length).steps_per_epoch,
        train_examples=examples,
        repeat=run.repeat,
        slot=run.slot,
        found=found,
    )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def call(schedule: Schedule) -> str:
    """The schedule as an expression without its defaults: ``SCHEDULES["exp_loss"](gain=0.5)``."""
    defaults = {spec.name: spec.default for spec in fields(schedule)}
    values = ((name, getattr(schedule, name)) for name in schedule.parameters())
    given = ", ".join(f"{n}={literal(v)}" for n, v in values if defaults[n] is MISSING or v != defaults[n])
    return f'SCHEDULES["{schedule.kind}"]({given})'


def wrapped(function: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or with one line per argument if it would be longer than WIDTH."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return [line]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]


def literal(value: Any) -> str:
    """A number, string, bool or list as Python code; strings have double quotes."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(literal(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def whole(value: float) -> bool:
    """Whether a number, int or float, is a whole number."""
    return value == int(value)
