"""One-sided paired t tests: their p, Holm's adjustment, and what a number of repeats can show."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtr, stdtrit

from decaybench.compare.intervals import one_dimension

LEVEL = 0.025
"""The one-sided level at which a direction is shown: 5% for both."""
POWER = 0.8
"""The chance at which a difference counts as one that could have been shown."""
MOST_REPEATS = 10_000
"""Beyond this `repeats_needed` gives up."""


def one_sided_p(differences: ArrayLike) -> float:
    """The one-sided p, at most 0.5, of the direction of the mean of ``differences`` (R,), R >= 2, paired t.

    Without spread it is 0, or 0.5 where the mean is 0 too. Source: Student 1908. Raises ValueError as
    `mean_interval` does, and for R < 2.
    """
    d = one_dimension(differences, "differences")
    if d.size < 2:
        raise ValueError("differences must be (R,) with R >= 2, got R = 1")
    error = float(d.std(ddof=1)) / math.sqrt(d.size)
    if error == 0:
        return 0.0 if d.any() else 0.5
    return float(stdtr(d.size - 1, -abs(float(d.mean())) / error))


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p values (M,) of ``p`` (M,), in their order.

    The k-th smallest is multiplied by M - k + 1; none is below a smaller one's, none above 1. Rejecting those
    below a level keeps the chance of any false rejection at that level, however the tests depend on each other.
    Source: Holm 1979. Raises ValueError for another shape or a value outside [0, 1].
    """
    x = np.asarray(p, dtype=np.float64)
    if x.ndim != 1 or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"p must be (M,) values in [0, 1], got {x}")
    order = np.argsort(x)
    adjusted = np.empty_like(x)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(x.size, 0, -1) * x[order]), 1)
    return adjusted


def detectable(spread: float, repeats: int, tests: int = 1) -> float:
    """The smallest true difference that ``repeats`` (>= 2) would have shown with power 80%, in the unit of ``spread``.

    ``spread`` is the standard deviation of the paired differences. The test is the one-sided paired t test at
    the level of Holm's first step, .025 / ``tests``, so it is the power of a pair that gets no help from
    others; t is then noncentral with sqrt(R) * difference / spread. Source: Cohen 1988.
    """
    return _noncentrality(repeats, tests) * spread / math.sqrt(repeats)


def repeats_needed(difference: float, spread: float, tests: int = 1) -> int | None:
    """How many repeats would show a true ``difference`` (either sign) with power 80%, as `detectable` has it.

    None for a difference of 0, and where 10,000 would not do.
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
