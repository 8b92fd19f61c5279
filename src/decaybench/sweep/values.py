"""The forms of a parameter's value in a sweep file, and the rules that every form obeys.

``0.1``, ``true``, ``"ema"`` and ``[30, 60]`` are in native units. A table ``{value, unit}``,
``{low, high, log, int, unit}`` or ``{choices, unit}`` may give another unit, or what is searched. Parsing is strict:
neither a bool nor ``"0.1"`` is a number.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

from decaybench.shared import Shared

Number = int | float
Scalar = int | float | str | bool

UNITS = ("update", "epoch", "run", "1/update", "1/epoch", "1/run")


class RuleError(ValueError):
    """A broken rule of the sweep file. ``rule`` is the rule and the value found, ``at`` the path of the key."""

    def __init__(self, rule: str, *at: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.at = at

    def below(self, *path: str) -> "RuleError":
        """The same error with ``path`` in front of its own."""
        return RuleError(self.rule, *path, *self.at)


@dataclass(frozen=True)
class Value:
    """One fixed value; without a unit, it is in native units."""

    value: Scalar | tuple[Number, ...]
    unit: str | None = None


@dataclass(frozen=True)
class Span:
    """Everything from ``low`` to ``high``; ``int`` and ``unit`` are None if the kind's range decides them."""

    low: Number
    high: Number
    log: bool = False
    int: bool | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Choices:
    """A list of which one is chosen; without a unit, the choices are in native units."""

    choices: tuple[Scalar, ...]
    unit: str | None = None


Parameter = Value | Span | Choices


def show(value: object) -> str:
    """A value as TOML spells it, cut to a readable length."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key} = {show(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(item) for item in value) + "]"
    elif isinstance(value, str | bool):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, int) and value.bit_length() > 1000:  # Python refuses to print very long ones
        text = f"a whole number of {value.bit_length()} bits"
    else:
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def parse(raw: object, *, log_needs_positive: bool = True) -> Parameter:
    """Read one parameter's value as TOML (or a Python mapping) gives it; raises ``RuleError``.

    Pass ``log_needs_positive=False`` if a log scale applies to 1 - value, as it does for momentum.
    """
    if isinstance(raw, Value | Span | Choices):
        raw = plain(raw)
    if not isinstance(raw, dict):
        return Value(_value(raw))
    if "choices" in raw:
        _only(raw, "choices", "unit")
        return Choices(_choices(raw["choices"]), _unit(raw))
    if "value" in raw:
        _only(raw, "value", "unit")
        return Value(_value(raw["value"], "value"), _unit(raw))
    _only(raw, "low", "high", "log", "int", "unit")
    for end in ("low", "high"):
        if end not in raw:
            raise RuleError("required key is missing: a table here holds value, choices, or low and high", end)
    low, high = _number(raw["low"], "low"), _number(raw["high"], "high")
    if low > high:
        raise RuleError(f"must be <= high ({show(high)}), got {show(low)}", "low")
    span = Span(low, high, _flag(raw, "log") or False, _flag(raw, "int"), _unit(raw))
    if span.log and log_needs_positive and low <= 0:
        raise RuleError(f"must be > 0 when log = true, got {show(low)}", "low")
    return span


def parse_shared(shared: Shared, raw: object) -> Parameter:
    """Like ``parse``, for a parameter that all strategies share: numbers without a unit."""
    value = parse(raw, log_needs_positive=not shared.one_minus)
    if value.unit is not None:
        raise RuleError(f"{shared.name} has no unit, got {show(value.unit)}", "unit")
    if isinstance(value, Span) and value.int:
        raise RuleError(f"must be false: {shared.name} is not a whole number, got true", "int")
    for number, at in numbers(value):
        _number(number, *at)
        if not shared.legal(number):
            raise RuleError(f"{shared.rule}, got {show(number)}", *at)
    return value


def numbers(value: Parameter) -> list[tuple[Any, tuple[str, ...]]]:
    """All numbers in a parameter's value (both ends, every choice), each with its key below the parameter."""
    if isinstance(value, Span):
        return [(value.low, ("low",)), (value.high, ("high",))]
    if isinstance(value, Choices):
        return [(choice, ("choices",)) for choice in value.choices]
    return [(value.value, () if value.unit is None else ("value",))]


def plain(value: Parameter) -> Any:
    """The JSON-able form that ``parse`` reads back as the same value."""
    if isinstance(value, Value):
        inner = list(value.value) if isinstance(value.value, tuple) else value.value
        return inner if value.unit is None else {"value": inner, "unit": value.unit}
    if isinstance(value, Choices):
        table: dict[str, Any] = {"choices": list(value.choices)}
    else:
        table = {"low": value.low, "high": value.high, "log": value.log}
        if value.int is not None:
            table["int"] = value.int
    return table if value.unit is None else {**table, "unit": value.unit}


def _number(raw: object, *at: str) -> Number:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise RuleError(f"must be a number, got {show(raw)}", *at)
    try:
        finite = math.isfinite(raw)
    except OverflowError:  # an integer beyond any float
        finite = False
    if not finite:
        raise RuleError(f"must be finite, got {show(raw)}", *at)
    return raw


def _value(raw: object, *at: str) -> Scalar | tuple[Number, ...]:
    if isinstance(raw, str | bool):
        return raw
    if isinstance(raw, list | tuple):
        if not raw:
            raise RuleError("must not be an empty list, got []", *at)
        return tuple(_number(item, *at) for item in raw)
    if not isinstance(raw, int | float):
        table = "" if at else " or a table"
        raise RuleError(f"must be a number, a string, true or false, a list of numbers{table}, got {show(raw)}", *at)
    return _number(raw, *at)


def _choices(raw: object) -> tuple[Scalar, ...]:
    if not isinstance(raw, list | tuple) or not raw:
        raise RuleError(f"must be a list of at least one value, got {show(raw)}", "choices")
    for item in raw:
        if not isinstance(item, str | bool):
            _number(item, "choices")
    if len({(isinstance(item, bool), item) for item in raw}) < len(raw):
        raise RuleError(f"must be distinct, got {show(raw)}", "choices")
    return tuple(raw)


def _flag(raw: dict[Any, Any], key: str) -> bool | None:
    flag = raw.get(key)
    if flag is not None and not isinstance(flag, bool):
        raise RuleError(f"must be true or false, got {show(flag)}", key)
    return flag


def _unit(raw: dict[Any, Any]) -> str | None:
    unit = raw.get("unit")
    if unit is not None and unit not in UNITS:
        raise RuleError(f"must be one of {', '.join(UNITS)}, got {show(unit)}", "unit")
    return unit


def _only(raw: dict[Any, Any], *known: str) -> None:
    for key in raw:
        if key not in known:
            raise RuleError(f"unknown key; known: {', '.join(known)}", str(key))
