"""Search ranges whose meaning does not depend on the length of a run, and their units."""

import builtins
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TIME_UNITS = ("update", "epoch", "run")
RATE_UNITS = ("1/update", "1/epoch", "1/run")
UNITS = ("1", *TIME_UNITS, *RATE_UNITS)


def convert(value: float, unit: str, native: str, *, total_steps: int, steps_per_epoch: int) -> float:
    """Convert ``value`` from ``unit`` to ``native``.

    Times are converted among update, epoch and run, and rates among 1/update, 1/epoch and 1/run. A time within rounding
    error of a whole number becomes that number, so that 0.07 of a run of 100 epochs is epoch 7 rather than
    7.000000000000001. Raises ValueError for an unknown unit, and for two units of different kinds (a time, a rate or a
    plain number).
    """
    for name in (unit, native):
        if name not in UNITS:
            raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {name!r}")
    updates = {"update": 1, "epoch": steps_per_epoch, "run": total_steps}
    if unit == native:
        return float(value)
    if unit in TIME_UNITS and native in TIME_UNITS:
        time = value * updates[unit] / updates[native]
        whole = round(time) if math.isfinite(time) else time
        return float(whole) if math.isclose(time, whole, rel_tol=1e-12) else float(time)
    if unit in RATE_UNITS and native in RATE_UNITS:
        return float(value * updates[native[2:]] / updates[unit[2:]])
    raise ValueError(f"a value in {unit!r} cannot be given in {native!r}")


@dataclass(frozen=True)
class Range:
    """The search range of one parameter, in units that may scale with the length of the run.

    The range is ``low`` to ``high`` (uniform; log-uniform with ``log``; whole numbers with ``int``) or one of
    ``choices``. With ``zero_or``, half of the draws are exactly 0 and the others are from the range. ``count=(1, 3)``
    means a sorted list of 1 to 3 draws. ``low``, ``high`` and ``choices`` are in ``unit``; the schedule's value is in
    ``native`` units, in which ``at_least`` is a lower bound.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    int: bool = False
    choices: tuple[Any, ...] | None = None
    zero_or: bool = False
    unit: str = "1"
    native: str = "1"
    at_least: float | None = None
    count: tuple[builtins.int, builtins.int] | None = None

    @property
    def dims(self) -> builtins.int:
        """The number of coordinates in [0, 1) that a draw needs: 1, or for a list 1 + its greatest length."""
        return 1 if self.count is None else 1 + self.count[1]

    def at(self, u: Sequence[float]) -> Any:
        """The value at the point ``u`` in [0, 1)^dims, in range units: a number, a choice or a sorted tuple.

        Raises ValueError if ``u`` has another number of coordinates or one outside [0, 1).
        """
        if len(u) != self.dims:
            raise ValueError(f"a point of this range has {self.dims} coordinates, got {len(u)}")
        if any(not 0.0 <= x < 1.0 for x in u):
            raise ValueError(f"coordinates must be in [0, 1), got {list(u)}")
        if self.count is None:
            return self._draw(u[0])
        fewest, most = self.count
        length = _whole(fewest, most, u[0])
        return tuple(sorted(self._draw(x) for x in u[1 : 1 + length]))

    def _draw(self, u: float) -> Any:
        if self.choices is not None:
            return self.choices[_whole(0, len(self.choices) - 1, u)]
        if self.zero_or:
            if u < 0.5:
                return 0 if self.int else 0.0
            u = 2.0 * u - 1.0
        if self.int and not self.log:
            return _whole(builtins.int(self.low), builtins.int(self.high), u)
        if self.int:  # each whole number n has the interval [n, n + 1) of the logarithmic axis
            top = math.log(self.high + 1)
            owner = math.floor(math.exp(math.log(self.low) + u * (top - math.log(self.low))))
            return builtins.int(min(max(owner, self.low), self.high))
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, float(self.low)), float(self.high))

    def to_native(self, value: Any, *, total_steps: builtins.int, steps_per_epoch: builtins.int) -> Any:
        """Convert ``value`` from range units to native units, a list element by element; whole numbers stay ints."""
        if isinstance(value, (tuple, list)):
            return tuple(self.to_native(v, total_steps=total_steps, steps_per_epoch=steps_per_epoch) for v in value)
        if isinstance(value, (bool, str)) or value is None:
            return value
        native: float = value
        if self.unit != self.native:
            native = convert(value, self.unit, self.native, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
            if isinstance(value, int) and native.is_integer():
                native = builtins.int(native)
        return native if self.at_least is None else max(native, self.at_least)

    def check(self) -> None:
        """Raise ValueError for the first rule that this range breaks."""
        for name in (self.unit, self.native):
            if name not in UNITS:
                raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {name!r}")
        if self.native in ("run", "1/run"):
            raise ValueError(f"native must not be relative to the run, got {self.native!r}")
        convert(1.0, self.unit, self.native, total_steps=1, steps_per_epoch=1)
        if self.count is not None and not 1 <= self.count[0] <= self.count[1]:
            raise ValueError(f"count must be (fewest, most) with 1 <= fewest <= most, got {self.count}")
        if self.at_least is not None and not math.isfinite(self.at_least):
            raise ValueError(f"at_least must be finite, got {self.at_least}")
        if self.choices is not None:
            self._check_choices()
        else:
            self._check_ends()

    def _check_choices(self) -> None:
        assert self.choices is not None
        if not self.choices:
            raise ValueError("choices must not be empty")
        if self.log or self.int or self.zero_or or self.low or self.high:
            raise ValueError("choices must not be combined with low, high, log, int or zero_or")
        for choice in self.choices:
            if not isinstance(choice, (bool, str, int, float)) or not _finite(choice):
                raise ValueError(f"choices must be finite numbers, strings or booleans, got {choice!r}")

    def _check_ends(self) -> None:
        for name, end in (("low", self.low), ("high", self.high)):
            if isinstance(end, bool) or not isinstance(end, (int, float)) or not _finite(end):
                raise ValueError(f"{name} must be a finite number, got {end!r}")
            if self.int and end != math.floor(end):
                raise ValueError(f"{name} must be a whole number because int is set, got {end}")
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got low {self.low} and high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 because log is set, got {self.low}")


def _whole(low: int, high: int, u: float) -> int:
    """The whole number in [low, high] at u in [0, 1); all have intervals of equal width."""
    return min(low + math.floor(u * (high - low + 1)), high)


def _finite(value: Any) -> bool:
    return isinstance(value, str) or math.isfinite(value)
