"""Check values: a number in a field's domain, one of an option's values, a range within these, or a whole number."""

import operator
from dataclasses import Field
from numbers import Real
from typing import Any, NoReturn

from torch import Tensor

from decaybench.schedules.domain import Domain
from decaybench.schedules.ranges import Range

Spec = Field[Any]


def plain(value: Any, *, lists: bool = False) -> Any:
    """Convert numbers of NumPy and torch to Python's, and lists to tuples; with ``lists`` also vectors to tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    dimensions = getattr(value, "ndim", None)
    if dimensions == 0 and hasattr(value, "item"):
        return value.item()
    return tuple(value.tolist()) if lists and dimensions == 1 and hasattr(value, "tolist") else value


def whole_number(name: str, value: Any, at_least: int, what: str = "") -> int:
    """Return ``value`` (Python's, NumPy's or a tensor's) as an int.

    Raises ValueError unless it is a whole number from ``at_least`` to 2**53, up to which float64 is exact. ``what``
    replaces the rule in the message.
    """
    number = plain(value)
    try:
        whole = -1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        whole = -1
    if whole < at_least:
        raise ValueError(f"{name} must be a whole number {what or f'of at least {at_least}'}, got {short(value)}")
    if whole > 2**53:
        raise ValueError(f"{name} must be at most 2**53, got {short(value)}")
    return whole


def one_number(name: str, value: Any) -> float:
    """Return ``value`` (Python's, NumPy's or a tensor of one element) as a float; ValueError if it is anything else."""
    number = plain(value.detach().reshape(()) if isinstance(value, Tensor) and value.numel() == 1 else value)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise ValueError(f"{name} must be one number, got {short(value)}")
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{name} must be a number that a float can hold, got {short(value)}") from None


def short(value: Any) -> str:
    """The value's repr in one line of at most 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python refuses to print an int of more than some thousand digits
        return f"an int of {value.bit_length()} bits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_field(owner: str, spec: Spec, value: Any, options: tuple[Any, ...] | None) -> None:
    """Raise ValueError, naming class, field, rule and value, unless it is legal. ``options``: None for a number."""
    if isinstance(value, Range):
        _check_range(owner, spec, value, options)
    elif options is not None:
        _check_option(owner, spec, value, options)
    else:
        _check_number(owner, spec, value)


def refuse(owner: str, name: str, rule: str, value: Any) -> NoReturn:
    """Raise the ValueError that names the field, its rule and the value."""
    shown = repr(value) if isinstance(value, str) else " ".join(str(value).split())
    raise ValueError(f"{owner}.{name} must be {rule}, got {shown}")


def _check_option(owner: str, spec: Spec, value: Any, options: tuple[Any, ...]) -> None:
    if not any(type(value) is type(option) and value == option for option in options):  # 1 is not True
        refuse(owner, spec.name, f"one of {', '.join(map(repr, options))}", value)


def _check_number(owner: str, spec: Spec, value: Any) -> None:
    domain, pad = _domain(spec), spec.metadata.get("pad")
    if pad is None:
        entries = [value]
    elif isinstance(value, Tensor):  # stacked lists, whose padding is outside the domain on purpose
        entries = [value[value != pad]]
    else:
        entries = list(value) if isinstance(value, tuple) else [value]
    if not entries or not all(domain.holds(entry) for entry in entries):
        refuse(owner, spec.name, str(domain), value)


def _check_range(owner: str, spec: Spec, value: Range, options: tuple[Any, ...] | None) -> None:
    try:
        value.check()
    except ValueError as error:
        raise ValueError(f"{owner}.{spec.name}: {error}") from None
    if options is not None:
        for choice in value.choices if value.choices is not None else (value,):
            _check_option(owner, spec, choice, options)
        return
    domain = _domain(spec)
    if domain.whole and value.choices is None and not value.int:
        refuse(owner, spec.name, str(domain), f"{value.low} to {value.high} without int")
    # The ends may be in other units than the domain. That does not matter: the domain of a parameter with units is
    # bounded by 0 alone.
    ends = value.choices if value.choices is not None else (value.low, value.high)
    for end in (*ends, 0) if value.zero_or else ends:
        if not domain.holds(end):
            refuse(owner, spec.name, str(domain), end)


def _domain(spec: Spec) -> Domain:
    return Domain.parse(spec.metadata.get("domain", "(-inf, inf)"))
