"""How much a sweep trains, and when it has an answer: its tables ``budget`` and ``decide``."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from decaybench.sweep.fields import Fraction, Table
from decaybench.sweep.values import RuleError, show

MOST_REPEATS = 10_000
Count = Annotated[int, Field(ge=1, le=MOST_REPEATS)]
LEAST_REPEATS = 5
"""Repeats below which there is no statement about a strategy, and so no range of repeats to choose from."""


def _tuple(raw: object) -> object:
    return tuple(raw) if isinstance(raw, list) else raw


class Repeats(Table):
    """The repeats of a search: the first look is taken after ``start`` of them, the last after ``to``.

    In the file ``start`` is written ``from``, and a number R stands for ``{ from = R, to = R }``.
    """

    start: Count = Field(alias="from")
    to: Count

    @model_validator(mode="before")
    @classmethod
    def _number(cls, raw: Any) -> Any:
        if isinstance(raw, int) and not isinstance(raw, bool):
            if not 1 <= raw <= MOST_REPEATS:
                raise RuleError(f"must be in [1, {MOST_REPEATS}], got {show(raw)}")
            return {"from": raw, "to": raw}
        if isinstance(raw, Mapping):
            first, last = raw.get("from"), raw.get("to")
            # before the fields' own rules, since "at least 1" would be wrong advice for a range
            if type(first) is type(last) is int and first < min(last, LEAST_REPEATS):
                raise RuleError(f"must be at least {LEAST_REPEATS}, got {show(first)}", "from")
            return raw
        raise RuleError(f"must be a whole number, or a table such as {{ from = 6, to = 40 }}, got {show(raw)}")

    @model_validator(mode="after")
    def _ascending(self) -> "Repeats":
        if self.to < self.start:
            raise RuleError(f"must be at least from = {self.start}, got {self.to}", "to")
        return self


class Budget(Table):
    """How much is trained; ``lengths`` are fractions of ``task.epochs``."""

    trials: Annotated[int, Field(ge=1, le=100_000)]
    repeats: Repeats = Repeats.model_validate({"from": 6, "to": 40})
    confirm_seeds: Annotated[int, Field(ge=0, le=10_000)] = 4
    lengths: Annotated[tuple[Fraction, ...], BeforeValidator(_tuple)] = (1.0,)

    @field_validator("lengths")
    @classmethod
    def _distinct(cls, lengths: tuple[float, ...]) -> tuple[float, ...]:
        if not lengths or len(set(lengths)) < len(lengths):
            raise RuleError(f"must be a list of distinct fractions, at least one, got {show(lengths)}")
        return lengths


class Decide(Table):
    """When a sweep has its answer.

    ``until`` "one" good strategy is known, "all" are decided, or the "end" of the budget. ``control`` compares only the
    pairs with the one strategy of kind ``constant``.
    """

    until: Literal["one", "all", "end"] = "one"
    control: bool = False
