"""A sweep file's tables as frozen pydantic models: strict types, no unknown keys, one rule per refusal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from decaybench.errors import UserError
from decaybench.optimizers import DEFAULT, Average, Velocity
from decaybench.schedules import SCHEDULES
from decaybench.sweep.arms import Arm, build_arms
from decaybench.sweep.budget import Budget, Decide
from decaybench.sweep.fields import (
    EXACT,
    Augment,
    BatchSize,
    Epochs,
    LearningRate,
    MetricName,
    ModelChoice,
    Momentum,
    Name,
    Optimizer,
    Own,
    Table,
    Text,
    WeightAverage,
    WeightDecay,
    Whole,
    label,
)
from decaybench.sweep.messages import one_line
from decaybench.sweep.values import RuleError, Value, plain, show

MOST_RUNS = 10_000_000
"""Far beyond any real sweep, so that a typo is refused before it fills a disk."""


class Task(Table):
    """What is trained. A strategy may override the three optimizer keys and ``average``, and nothing else.

    ``rope`` is the smallest difference that matters, in the metric's unit (accuracy in [0, 1], or nats).
    """

    data: Text
    model: ModelChoice
    epochs: Epochs
    batch_size: BatchSize
    optimizer: Optimizer = DEFAULT
    nesterov: bool = False
    velocity: Velocity = "torch"
    decay_biases: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    metric: MetricName = "accuracy"
    augment: Augment | None = None
    label_smoothing: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    clip_norm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    average: WeightAverage | None = None
    rope: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] | None = None
    train_size: Whole | None = None
    validation_size: Whole | None = None
    test_size: Whole | None = None

    def options(self, average: Average | None) -> tuple[str, ...]:
        """The settings of training that are off unless the file sets them, in words, for a strategy's ``average``."""
        smoothing, norm = self.label_smoothing, self.clip_norm
        augment = ", ".join(map(str, self.augment or ()))
        return (
            *([f"augmented images ({augment})"] if augment else []),
            *([] if smoothing is None else [f"label smoothing {smoothing:g}"]),
            *([] if norm is None else [f"gradients clipped to norm {norm:g}"]),
            *([] if average is None else [f"weights averaged ({average})"]),
        )


class Prune(Table):
    """Pruning: stop search runs that are worse than their group's median after a fraction ``at`` of their epochs.

    Each of them is spared, and trained to the end, with probability ``spare``.
    """

    at: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    spare: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.2


class Search(Table):
    """How configurations are proposed, and the shared parameters of strategies that do not set their own.

    "tpe" proposes ``batch`` trials at a time. Under "adaptive", the strategies share their trials. Without
    ``learning_rate``, the kind's own range applies, or log [1e-3, 1] if it has none. Without ``prune``, every run is
    trained to the end.
    """

    sampler: Literal["sobol", "random", "tpe"] = "sobol"
    allocation: Literal["balanced", "adaptive"] = "balanced"
    seed: Annotated[int, Field(ge=0, le=EXACT)] = 0
    batch: Whole = 4
    learning_rate: LearningRate | None = None
    momentum: Momentum = Value(0.9)
    weight_decay: WeightDecay = Value(0.0)
    prune: Prune | None = None

    @model_validator(mode="after")
    def _drawable(self) -> "Search":
        if self.allocation == "adaptive" and self.sampler == "sobol":
            raise RuleError('"adaptive" needs sampler = "random" or "tpe", got sampler = "sobol"', "allocation")
        if self.allocation == "adaptive" and self.prune is not None:
            found = show(self.prune.model_dump())
            raise RuleError(
                f'needs allocation = "balanced": only trials of one strategy are compared, got {found}', "prune"
            )
        return self


class Strategy(Table):
    """One labelled schedule with its search space; ``own`` holds the kind's fields as given in the file."""

    schedule: str
    optimizer: Optimizer | None = None
    nesterov: bool | None = None
    velocity: Velocity | None = None
    average: WeightAverage | None = None
    learning_rate: LearningRate | None = None
    momentum: Momentum | None = None
    weight_decay: WeightDecay | None = None
    own: dict[str, Own] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _split(cls, raw: Any) -> Any:
        """Move the kind's fields of the flat table into ``own``; refuse unknown keys."""
        if not isinstance(raw, Mapping):
            return raw
        kind = raw.get("schedule")
        try:
            found = SCHEDULES.get(kind) if isinstance(kind, str) else None
        except UserError as unusable:  # a kind of another package, which cannot be imported
            raise RuleError(f"must be a usable kind, got {show(kind)}: {unusable}", "schedule") from None
        if found is None:
            raise RuleError(f"{SCHEDULES.refusal(kind)} (schedule defaults to the label)", "schedule")
        common = [name for name in cls.model_fields if name != "own"]
        fields = found.parameters()
        for key in raw:
            if key not in common and key not in fields:
                raise RuleError(f"unknown key; known for {kind}: {', '.join([*fields, *common])}", str(key))
        table = {key: value for key, value in raw.items() if key in common}
        return table | {"own": {key: value for key, value in raw.items() if key not in common}}

    def table(self) -> dict[str, Any]:
        """The flat table again, JSON-able."""
        common = self.model_dump(mode="json", exclude={"own"}, exclude_none=True)
        return common | {name: plain(value) for name, value in self.own.items()}


class Sweep(Table):
    """A question, a task, a budget, a search space and strategies (in file order): one TOML file."""

    _origin: str = PrivateAttr(default="sweep")

    name: Name
    question: str = ""
    task: Task
    budget: Budget
    decide: Decide = Decide()
    search: Search = Search()
    strategies: dict[str, Strategy]

    @model_validator(mode="before")
    @classmethod
    def _compared(cls, raw: Any) -> Any:
        """Where nothing is compared there is nothing to go on for: repeats default to those of a first look."""
        tables = raw if isinstance(raw, Mapping) else {}
        search, budget = tables.get("search"), tables.get("budget")
        if not isinstance(search, Mapping) or not isinstance(budget, Mapping):
            return raw
        if search.get("allocation") == "adaptive" and "repeats" not in budget:
            return {**tables, "budget": {**budget, "repeats": {"from": 6, "to": 6}}}
        return raw

    @field_validator("strategies", mode="before")
    @classmethod
    def _labelled(cls, raw: Any) -> Any:
        """Check the labels and give every table its ``schedule``, which defaults to the label."""
        if not isinstance(raw, Mapping):
            return raw
        if not raw:
            raise RuleError("must hold at least one strategy, got {}")
        for name in raw:
            try:
                label(str(name))
            except RuleError as broken:
                raise broken.below(str(name)) from None
        return {
            name: {"schedule": name, **table} if isinstance(table, Mapping) else table for name, table in raw.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> "Sweep":
        """The rules that span several tables."""
        lengths = self.budget.lengths
        epochs = [self.epochs(length) for length in lengths]
        if len(set(epochs)) < len(epochs):
            found = f"{show(lengths)}, which of {self.task.epochs} epochs are {show(epochs)}"
            rule = f"must differ in whole epochs, got {found}"
            raise RuleError(rule, "budget", "lengths")
        retrained = 5 * self.budget.confirm_seeds  # three configurations, the chosen one again, and its replays
        runs = (self.budget.trials * self.budget.repeats.to * len(lengths) + retrained) * len(self.strategies)
        if runs > MOST_RUNS:
            raise RuleError(f"must plan at most {MOST_RUNS:,} runs in total, got {runs:,}", "budget")
        built = build_arms(self.task, self.search, self.strategies)
        for arm in built:
            if arm.average is not None and arm.average.last is not None and arm.average.last > min(epochs):
                at = ("strategies", arm.label) if self.strategies[arm.label].average else ("task",)
                rule = f"must be at most {min(epochs)}, the epochs of the shortest run, got {arm.average.last}"
                raise RuleError(rule, *at, "average", "last")
        self._require_decidable(built)
        return self

    def _require_decidable(self, built: Sequence[Arm]) -> None:
        repeats = self.budget.repeats
        if self.search.allocation == "adaptive" and repeats.to != repeats.start:
            found = show(repeats.model_dump(by_alias=True))
            rule = 'must be one number with search.allocation = "adaptive", which compares nothing'
            raise RuleError(f"{rule}, got {found}", "budget", "repeats")
        if not self.decide.control:
            return
        controls = [arm.label for arm in built if arm.control]
        if len(controls) != 1:
            rule = "true needs exactly one strategy of kind constant"
            which = "whose optimizer needs a schedule, and which has no average of its own"
            raise RuleError(f"{rule} {which}, got {', '.join(controls) or 'none'}", "decide", "control")
        if self.decide.until == "all":
            raise RuleError('true cannot decide until = "all", which needs every pair', "decide", "control")

    def epochs(self, length: float) -> int:
        """Whole epochs of a run at this fraction of ``task.epochs``: at least one."""
        return max(1, round(length * self.task.epochs))

    @property
    def needs_signal(self) -> bool:
        """Whether a strategy reacts to held-out loss, so that the data needs a split for it."""
        return any(arm.held_out for arm in build_arms(self.task, self.search, self.strategies))

    def spec(self) -> dict[str, Any]:
        """The tables as JSON-able data with all defaults filled in, in file order; ``from_mapping`` reads them back."""
        return {
            "name": self.name,
            "question": self.question,
            "task": self.task.model_dump(mode="json", exclude_none=True),
            "budget": self.budget.model_dump(mode="json", by_alias=True),
            "decide": self.decide.model_dump(mode="json"),
            "search": self.search.model_dump(mode="json", exclude_none=True),
            "strategies": {label: strategy.table() for label, strategy in self.strategies.items()},
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], origin: str) -> "Sweep":
        """The sweep that a mapping with the file's keys describes.

        Raises UserError, ``ORIGIN: KEY: rule, got VALUE``, for the first rule that is broken.
        """
        if not isinstance(mapping, Mapping):
            raise UserError(f"{origin}: must be a mapping, got {show(mapping)}")
        try:
            sweep = cls.model_validate(dict(mapping))
        except ValidationError as error:
            raise UserError(f"{origin}: {one_line(error, cls)}") from None
        sweep._origin = origin
        return sweep

    @contextmanager
    def named(self) -> Iterator[None]:
        """A context in which every UserError also names the sweep's file; for what is checked after reading it."""
        try:
            yield
        except UserError as error:
            raise UserError(f"{self._origin}: {error}") from error
