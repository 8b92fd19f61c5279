"""A kind's own fields as given in a sweep file; what the file omits is searched by default."""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from itertools import product
from typing import Any

from decaybench.schedules import Range, Schedule, convert
from decaybench.sweep.values import UNITS, Choices, Parameter, RuleError, Span, Value, numbers, show


def own_fields(
    kind: type[Schedule], given: Mapping[str, Parameter], epochs: int
) -> tuple[dict[str, Value], dict[str, Range]]:
    """The kind's own fields that are fixed, and those that are searched, both in the class' order.

    Raises RuleError for a value that the kind does not allow, and for a field with neither value, range nor default.
    """
    options = _settle(kind, given)
    fixed: dict[str, Value] = {}
    searched: dict[str, Range] = {}
    for name in kind.parameters():
        value, default = given.get(name), kind.range_of(name, epochs=epochs, options=options)
        native = kind.native_unit(name, options)
        if value is not None and name not in kind.options():
            _check_number(kind, name, value, native)
        if isinstance(value, Value):
            fixed[name] = value
        elif isinstance(value, Choices):
            searched[name] = Range(choices=value.choices, unit=value.unit or native, native=native)
        elif isinstance(value, Span):
            searched[name] = _range(name, value, default, native, value.unit or kind.range_unit(name, options))
        elif default is not None:
            searched[name] = default
        elif _required(kind, name):
            raise RuleError("required key is missing: it has neither a default nor a range", name)
    _check_together(kind, fixed, {name: searched[name] for name in searched if name in given}, searched)
    return fixed, searched


def counts(schedule_class: type[Schedule], name: str) -> bool:
    """Whether the field is searched in whole numbers, so that a time converted to its unit is rounded."""
    searched = schedule_class.range_of(name, epochs=1)
    return searched is not None and searched.int


def _range(name: str, value: Span, default: Range | None, native: str, unit: str) -> Range:
    whole = value.int
    if whole is None:  # whole if the default range is, unless given in another unit, such as a share of the run
        whole = default is not None and default.int and unit == native
    for end, at in numbers(value):
        if whole and end != math.floor(end):
            raise RuleError(f"must be a whole number, since it is a range of whole numbers, got {end}", name, *at)
    return Range(
        int(value.low) if whole else float(value.low),
        int(value.high) if whole else float(value.high),
        log=value.log,
        int=whole,
        unit=unit,
        native=native,
        # Only a share of a run needs the default's floor, since it may be tiny in native units.
        at_least=default.at_least if default and unit == "run" else None,
        count=default.count if default else None,
    )


def _required(kind: type[Schedule], name: str) -> bool:
    return any(f.name == name and f.default is MISSING and f.default_factory is MISSING for f in fields(kind))


def _settle(kind: type[Schedule], given: Mapping[str, Parameter]) -> dict[str, Any]:
    """The given options, with the first choice of a searched one. RuleError if a unit depends on the choice."""
    legal = kind.options()
    for name in legal:
        if name in given:
            _check_option(name, given[name], legal[name])
            for choice, at in numbers(given[name]) if name in kind.loop_only else ():
                if choice != (default := next(f.default for f in fields(kind) if f.name == name)):
                    rule = f"must be {show(default)}, since the rule observes a loss in a sweep"
                    raise RuleError(f"{rule}, got {show(choice)}", name, *at)
    choices = {name: [choice for choice, _ in numbers(given[name])] for name in legal if name in given}
    first, *others = combinations(choices)
    for name in kind.parameters():
        for other in others:
            if kind.native_unit(name, other) != kind.native_unit(name, first):
                option = next(o for o in choices if other[o] != first[o])
                raise RuleError(f"must be fixed, since the unit of {name} depends on it, got choices", option)
    return first


def _check_together(
    kind: type[Schedule], fixed: Mapping[str, Value], searched: Mapping[str, Range], every: Mapping[str, Range]
) -> None:
    """Check the rules that span several fields, without times that are still to be rounded to whole numbers."""
    values: dict[str, Any] = {n: v.value for n, v in fixed.items() if v.unit is None or not counts(kind, n)}
    ranges = {n: r for n, r in searched.items() if r.unit == r.native or not counts(kind, n)}
    _construct(kind, values | ranges)
    # A searched list has no fixed length, so a fixed list may fit only some draws: try both extremes.
    lists = {name: limits for name, limits in every.items() if limits.count is not None}
    for u in (0.0, 0.999) if lists else ():
        drawn = {name: limits.at([u] * limits.dims) for name, limits in lists.items()}
        _construct(kind, {name: value for name, value in values.items() if isinstance(value, tuple)} | drawn)


def _check_option(name: str, value: Parameter, legal: tuple[Any, ...]) -> None:
    known = ", ".join(show(option) for option in legal if option is not None)
    if isinstance(value, Span):
        raise RuleError(f"must be one of {known}, or choices of them, got a range", name)
    if value.unit is not None:
        raise RuleError(f"{name} has no unit, got {show(value.unit)}", name, "unit")
    for choice, at in numbers(value):
        if not any(type(choice) is type(option) and choice == option for option in legal):  # 1 is not true
            raise RuleError(f"must be one of {known}, got {show(choice)}", name, *at)


def _check_number(kind: type[Schedule], name: str, value: Parameter, native: str) -> None:
    unit = value.unit or native
    if not _converts(unit, native):
        legal = [known for known in UNITS if _converts(known, native)]
        rule = f"must be one of {', '.join(legal)}" if legal else f"{name} has no unit"
        raise RuleError(f"{rule}, got {show(unit)}", name, "unit")
    for number, at in numbers(value):
        entries = []
        for entry in number if isinstance(number, tuple) else (number,):
            if isinstance(entry, bool | str):
                raise RuleError(f"must be a number, got {show(entry)}", name, *at)
            # In another unit only the sign is known for certain; the value is rounded after conversion.
            rounded = unit != native and entry > 0 and counts(kind, name)
            entries.append(math.ceil(entry) if rounded else entry)
        _construct(kind, {name: tuple(entries) if isinstance(number, tuple) else entries[0]}, *at)


def _converts(unit: str, native: str) -> bool:
    try:
        convert(1.0, unit, native, total_steps=1, steps_per_epoch=1)
    except ValueError:
        return False
    return True


def _construct(kind: type[Schedule], values: Mapping[str, Any], *at: str) -> None:
    """Let the class decide what is legal; its ``Exponential.decay_rate must be ...`` becomes a RuleError with key."""
    try:
        kind(**values)
    except ValueError as error:
        named = re.fullmatch(r"\w+\.(\w+):? (.*)", str(error), re.DOTALL)
        if named is None:
            raise RuleError(str(error)) from None
        name, (rule, _, found) = named[1], named[2].partition(", got ")
        found = show(_toml(values[name])) if name in values else found  # a field that is not given has its default
        raise RuleError(f"{rule}, got {found}", name, *at) from None


def _toml(value: Any) -> Any:
    if isinstance(value, Range) and value.choices is None:
        return {"low": value.low, "high": value.high, "int": value.int}
    return value


def combinations(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every way to take one choice for each name."""
    return [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]
