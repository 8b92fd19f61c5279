"""Numbers and lists in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from decaybench.compare import Interval
from decaybench.metrics import METRICS


def value(metric: str, x: float) -> str:
    """``97.4%`` for an accuracy in [0, 1], ``0.123 nats`` for a loss."""
    unit = METRICS[metric].unit
    return number(metric, x) + (unit if unit == "%" else f" {unit}")


def number(metric: str, x: float | None, signed: bool = False) -> str:
    """The same without its unit, as ``+0.6`` when signed; ``-`` for nothing, no sign on a rounded zero."""
    if x is None:
        return "-"
    scaled, digits = METRICS[metric].factor * x, METRICS[metric].digits
    text = f"{scaled:+.{digits}f}" if signed else f"{scaled:.{digits}f}"
    return text if float(text) else f"{0:.{digits}f}"


def bounds(metric: str, interval: Interval | None, signed: bool = False) -> str:
    """``96.9 to 97.9`` in percent, points or nats, without the unit; empty where there is no interval."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{number(metric, interval.low, signed)} to {number(metric, interval.high, signed)}"


def gap(metric: str, difference: float) -> str:
    """The size of a difference without its sign: ``0.6 points``, ``0.012 nats``; never a rounded zero."""
    of = METRICS[metric]
    size = of.factor * abs(difference)
    if size == 0:
        return f"0 {of.gap_unit}"
    for digits in (of.digits, of.digits + 1):
        text = f"{size:.{digits}f}"
        if float(text):
            return f"{text} {of.gap_unit}"
    return f"less than {10.0 ** -(of.digits + 1):g} {of.gap_unit}"


def exact(metric: str, size: float) -> str:
    """A size with three figures, for a smallest difference that matters: ``0.667 points``, ``1 point``."""
    text, unit = f"{METRICS[metric].factor * size:.3g}", METRICS[metric].gap_unit
    return f"{text} {unit.removesuffix('s') if text == '1' else unit}"


def at_most(metric: str, size: float, margin: float | None) -> str:
    """A bound with at most two figures, rounded up so that it still holds: ``0.84 points``, ``12 points``.

    One within the ``margin`` must not look as if it were beyond it: 1.1 of a margin of 1.12 is not rounded to 1.2.
    Where two figures would, it is shown with three, and at most as the margin is shown. Only then may it be below the
    bound, by what the margin's own rounding took away.
    """
    return f"{bound(metric, size, margin)} {METRICS[metric].gap_unit}"


def bound(metric: str, size: float | None, margin: float | None) -> str:
    """The same without its unit; ``-`` for nothing."""
    if size is None:
        return "-"
    of = METRICS[metric]
    scaled = of.factor * min(size, of.high)
    if scaled <= 0:
        return "0"
    first = math.floor(math.log10(scaled))
    up, text = _up(scaled, min(1 - first, of.digits + 1))
    if margin is None or size > margin or up <= (shown := float(f"{of.factor * margin:.3g}")):
        return text
    up, text = _up(scaled, 2 - first)
    return text if up <= shown else f"{shown:g}"


def _up(x: float, places: int) -> tuple[float, str]:
    """``x`` rounded up to so many decimal places, as a number and as text."""
    up = math.ceil(round(x * 10**places, 6)) / 10**places
    return up, f"{up:.{max(places, 0)}f}"


def worse(metric: str) -> str:
    """Where a worse result lies: ``below`` a better one, or ``above`` it."""
    return "above" if METRICS[metric].lower_is_better else "below"


def share(found: Interval) -> str:
    """A share and its interval: ``25.0%, 4.6 to 69.9%``."""
    assert found.low is not None and found.high is not None
    return f"{100 * found.mean:.1f}%, {100 * found.low:.1f} to {100 * found.high:.1f}%"


def signed_gap(metric: str, difference: float) -> str:
    """``+0.6 points``, ``-0.012 nats``, ``0 points``."""
    sign = "+" if difference > 0 else "-" if difference < 0 else ""
    return sign + gap(metric, difference)


def percent(fraction: float) -> str:
    """``25%`` for a length of 0.25."""
    return f"{100 * fraction:.6g}%"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def count(n: int, noun: str) -> str:
    """``1 repeat``, ``1,146 repeats``."""
    return f"{n} {noun}" if n == 1 else f"{n:,} {noun}s"


def about(n: float) -> str:
    """A number that is a guess, with two figures: ``3,200``."""
    return f"{float(f'{n:.2g}'):,.0f}"


def rate(x: float | None) -> str:
    """A learning rate with three figures, ``-`` for nothing."""
    return "-" if x is None else f"{x:.3g}"


def p_value(p: float) -> str:
    """``0.031``, ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
