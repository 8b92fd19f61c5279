"""`Domain`: the interval of a parameter's legal values. (The values that are searched are a `Range` inside it.)"""

import math
import re
from dataclasses import dataclass
from functools import cache
from numbers import Real
from typing import Any

from torch import Tensor

_NOTATION = re.compile(r"(int )?([\[(])([^,]+), ([^,]+)([\])])")


@dataclass(frozen=True)
class Domain:
    """An interval in mathematical notation: "(0, 1]", or "int [0, inf)" for whole numbers only."""

    notation: str
    low: float
    high: float
    open_low: bool
    open_high: bool
    whole: bool

    @staticmethod
    @cache
    def parse(notation: str) -> "Domain":
        """Parse the notation. Raises ValueError if it is not an interval."""
        match = _NOTATION.fullmatch(notation)
        if match is None:
            raise ValueError(f"a domain is written like '(0, 1]' or 'int [0, inf)', got {notation!r}")
        whole, opening, low, high, closing = match.groups()
        return Domain(notation, float(low), float(high), opening == "(", closing == ")", whole is not None)

    def __str__(self) -> str:
        return f"a whole number in {self.notation[4:]}" if self.whole else f"in {self.notation}"

    def holds(self, value: Any) -> bool:
        """Whether a number, or each element of a tensor, is in the domain. Wrong types, NaN and infinity are not."""
        if isinstance(value, Tensor):
            return all(map(self.holds, value.flatten().tolist()))
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        try:
            number = float(value)
        except OverflowError:  # an int beyond float64
            return False
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below and math.isfinite(number) and (not self.whole or number.is_integer())
