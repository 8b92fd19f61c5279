"""A sweep file's tables as frozen pydantic models: strict types, no unknown keys, one rule per refusal."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from decaybench.errors import UserError
from decaybench.metrics import METRICS
from decaybench.optimizers import DEFAULT, OPTIMIZERS, Velocity
from decaybench.schedules import SCHEDULES
from decaybench.shared import SHARED
from decaybench.sweep.arms import build_arms
from decaybench.sweep.messages import one_line
from decaybench.sweep.values import Parameter, RuleError, Value, parse, parse_shared, plain, show

EXACT = 2**53  # the largest whole number up to which JSON and floats are exact


def _name(raw: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", raw) is None:
        raise RuleError(f"must match [A-Za-z0-9_-]{{1,64}}, got {show(raw)}")
    return raw


def _tuple(raw: object) -> object:
    return tuple(raw) if isinstance(raw, list) else raw


def _batch_size(raw: object) -> int | str:
    if isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= EXACT:
        return raw
    if isinstance(raw, str) and raw == "full":
        return raw
    raise RuleError(f'must be a whole number >= 1 or "full", got {show(raw)}')


def _optimizer(raw: object) -> str:
    if isinstance(raw, str) and raw in OPTIMIZERS:
        return raw
    raise RuleError(f"must be one of {', '.join(OPTIMIZERS)}, got {show(raw)}")


def _metric(raw: object) -> str:
    if isinstance(raw, str) and raw in METRICS:
        return raw
    raise RuleError(f"must be one of {', '.join(METRICS)}, got {show(raw)}")


def _shared(name: str) -> PlainValidator:
    parameter = next(shared for shared in SHARED if shared.name == name)
    return PlainValidator(lambda raw: parse_shared(parameter, raw))


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, Field(min_length=1)]
Whole = Annotated[int, Field(ge=1, le=EXACT)]
# Bounds far beyond any real sweep, so that a typo is refused before it fills a disk.
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]
Repeats = Annotated[int, Field(ge=1, le=10_000)]
MOST_RUNS = 10_000_000
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
MetricName = Annotated[str, PlainValidator(_metric)]
BatchSize = Annotated[int | Literal["full"], PlainValidator(_batch_size)]
Optimizer = Annotated[str, PlainValidator(_optimizer)]
LearningRate = Annotated[Parameter, _shared("learning_rate"), PlainSerializer(plain)]
Momentum = Annotated[Parameter, _shared("momentum"), PlainSerializer(plain)]
WeightDecay = Annotated[Parameter, _shared("weight_decay"), PlainSerializer(plain)]
Own = Annotated[Parameter, PlainValidator(parse), PlainSerializer(plain)]


class Table(BaseModel):
    """The base of all tables: strict types, no unknown keys, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Task(Table):
    """What is trained: the same for every strategy, except that a strategy may override the three optimizer keys.

    ``rope`` is the smallest difference that matters, in the metric's unit (accuracy in [0, 1], or nats).
    """

    data: Text
    model: Text
    epochs: Epochs
    batch_size: BatchSize
    optimizer: Optimizer = DEFAULT
    nesterov: bool = False
    velocity: Velocity = "torch"
    decay_biases: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    metric: MetricName = "accuracy"
    rope: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] | None = None
    train_size: Whole | None = None
    validation_size: Whole | None = None
    test_size: Whole | None = None


class Budget(Table):
    """How much is trained; ``lengths`` are fractions of ``task.epochs``."""

    trials: Annotated[int, Field(ge=1, le=100_000)]
    repeats: Repeats
    confirm_seeds: Repeats
    lengths: Annotated[tuple[Fraction, ...], BeforeValidator(_tuple)] = (1.0,)

    @field_validator("lengths")
    @classmethod
    def _distinct(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if not lengths or len(set(lengths)) < len(lengths):
            raise RuleError(f"must be a list of distinct fractions, at least one, got {show(lengths)}")
        return lengths


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
    learning_rate: LearningRate | None = None
    momentum: Momentum | None = None
    weight_decay: WeightDecay | None = None
    own: dict[str, Own] = {}

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
            known = ", ".join(SCHEDULES)
            raise RuleError(f"must be one of {known} (it defaults to the label), got {show(kind)}", "schedule")
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
    search: Search = Search()
    strategies: dict[str, Strategy]

    @field_validator("strategies", mode="before")
    @classmethod
    def _labelled(cls, raw: Any) -> Any:
        """Check the labels and give every table its ``schedule``, which defaults to the label."""
        if not isinstance(raw, Mapping):
            return raw
        if not raw:
            raise RuleError("must hold at least one strategy, got {}")
        for label in raw:
            try:
                _name(str(label))
            except RuleError as broken:
                raise broken.below(str(label)) from None
        return {
            label: {"schedule": label, **table} if isinstance(table, Mapping) else table for label, table in raw.items()
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
        each = self.budget.trials + 2 * self.budget.confirm_seeds  # a replay for each, at most
        runs = each * self.budget.repeats * len(lengths) * len(self.strategies)
        if runs > MOST_RUNS:
            raise RuleError(f"must plan at most {MOST_RUNS:,} runs in total, got {runs:,}", "budget")
        build_arms(self.task, self.search, self.strategies)
        return self

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
            "budget": self.budget.model_dump(mode="json"),
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
