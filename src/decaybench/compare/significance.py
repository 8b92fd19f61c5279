"""Holm's adjustment, and the power of a number of repeats."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtrit

LEVEL = 0.025
"""The one-sided level at which a direction is shown: 5% for both directions together."""
POWER = 0.8
"""The power with which `detectable` and `repeats_needed` reckon."""
MOST_REPEATS = 10_000
"""The largest answer of `repeats_needed`."""


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p values (M,) of ``p`` (M,), in the same order.

    The k-th smallest is multiplied by M - k + 1, then raised to the adjusted value of the next smaller one if that is
    larger, and capped at 1. Rejecting what is below a level keeps the chance of any false rejection at that level,
    however the tests depend on each other. Source: Holm 1979. Raises ValueError for another shape or a value outside
    [0, 1].
    """
    x = np.asarray(p, dtype=np.float64)
    if x.ndim != 1 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"p must be (M,) values in [0, 1], got {x}")
    order = np.argsort(x)
    adjusted = np.empty_like(x)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(x.size, 0, -1) * x[order]), 1)
    return adjusted


def detectable(spread: float, repeats: int, tests: int = 1) -> float:
    """The smallest true difference that ``repeats`` (>= 2) show with power 80%, in the unit of ``spread``.

    ``spread`` is the standard deviation of the paired differences. The test is the one-sided paired t test at level
    .025 / ``tests``, Holm's first and strictest step. Its t is noncentral, with noncentrality
    sqrt(R) * difference / spread. Source: Cohen 1988.
    """
    return _noncentrality(repeats, tests) * spread / math.sqrt(repeats)


def repeats_needed(difference: float, spread: float, tests: int = 1) -> int | None:
    """The number of repeats that show a true ``difference`` (of either sign) with power 80%.

    The test is that of `detectable`. None for a difference of 0, and if 10,000 repeats are not enough.
    """
    if difference == 0:
        return None
    enough = range(2, MOST_REPEATS + 1)
    at = bisect_left(enough, True, key=lambda repeats: detectable(spread, repeats, tests) <= abs(difference))
    return enough[at] if at < len(enough) else None


@lru_cache(maxsize=65_536)
def _noncentrality(repeats: int, tests: int) -> float:
    critical = stdtrit(repeats - 1, 1 - LEVEL / tests)
    return float(nctdtrinc(repeats - 1, 1 - POWER, critical))
