"""What a search with n trials would have found: the expected best of n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from decaybench.compare.intervals import one_dimension


class Curve(NamedTuple):
    """The expected best of ``n`` (M,) trials and its band, in the unit of the values; with one repeat, NaN bounds."""

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def expected_best(values: ArrayLike, n: int, *, lower_is_better: bool = False) -> float:
    """The best of ``n`` values, averaged over all subsets of size ``n`` of ``values`` (N,), in any order.

    E = sum_i v_(i) [C(i, n) - C(i-1, n)] / C(N, n), with v_(1) the worst and v_(N) the best value. Subsets are drawn
    without replacement, so the estimate is unbiased if the trials are random. The weights C(i-1, n-1) / C(N, n) are
    computed from their ratios, all at most 1, so a large N does not overflow.

    Sources: Dodge et al. 2019, "Show your work"; Tang et al. 2020, "Showing your work doesn't always work" (why
    without replacement). Raises ValueError as `mean_interval` does, and unless 1 <= n <= N.
    """
    v = one_dimension(values, "values")
    if not 1 <= n <= v.size:
        raise ValueError(f"n must be from 1 to the {v.size} values, got {n}")
    best_first = np.sort(v) if lower_is_better else np.sort(v)[::-1]
    i = np.arange(v.size, n, -1)
    weights = n / v.size * np.cumprod(np.concatenate([[1.0], (i - n) / (i - 1)]))
    return float(weights @ best_first[: weights.size])


def expected_best_curve(
    values: Sequence[ArrayLike] | NDArray[np.float64],
    n: ArrayLike,
    *,
    lower_is_better: bool = False,
    confidence: float = 0.95,
) -> Curve:
    """`expected_best` of the trials of all repeats, pooled, for each of ``n`` (M,), with a band over repeats.

    ``values`` (R, N) are R repeats of N trials, or R arrays if some repeats have fewer; no n may exceed the shortest.
    Only repeats are independent of each other, so the band is mean -+ t(R - 1) * s, where s is the jackknife standard
    error from leaving out one repeat at a time. Sources: Tukey 1958; Efron and Stein 1981. Raises ValueError as
    `expected_best` does.
    """
    repeats = [one_dimension(each, "values") for each in values]
    sizes = np.asarray(n, dtype=np.int64)
    if not repeats or sizes.ndim != 1 or (sizes.size and sizes.max() > min(each.size for each in repeats)):
        raise ValueError(f"n must be (M,), at most the trials of every repeat, got {sizes} for {len(repeats)} repeats")

    def curve(pool: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        slots = np.concatenate(pool)
        return np.array([expected_best(slots, int(each), lower_is_better=lower_is_better) for each in sizes])

    mean, r = curve(repeats), len(repeats)
    if r == 1:
        return Curve(sizes, mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    without = np.stack([curve(repeats[:each] + repeats[each + 1 :]) for each in range(r)])
    half = stdtrit(r - 1, 0.5 + confidence / 2) * np.sqrt((r - 1) * without.var(axis=0))
    return Curve(sizes, mean, mean - half, mean + half)
