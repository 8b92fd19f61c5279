"""How often something happens, such as divergence."""

from __future__ import annotations

import math
from functools import cache

from scipy.stats import binomtest

from decaybench.compare.intervals import Interval


@cache  # binomtest takes milliseconds, and a summary asks for the same few shares again and again
def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The share ``successes`` / ``n``, in [0, 1], and its Wilson interval; for n = 0, NaN without bounds.

    The interval keeps its width if none or all succeed. Source: Wilson 1927. Raises ValueError unless
    0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to n, got {successes} of {n}")
    if n == 0:
        return Interval(math.nan, None, None)
    bounds = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Interval(successes / n, float(bounds.low), float(bounds.high))
