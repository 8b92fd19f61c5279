"""What a search of n slots would have found: the expected best of n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from decaybench.compare.intervals import one_dimension


class Curve(NamedTuple):
    """The expected best of ``n`` (M,) slots and its band, in the unit of the values; NaN bounds with one repeat."""

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def expected_best(values: ArrayLike, n: int, *, lower_is_better: bool = False) -> float:
    """The mean, over all subsets of ``n`` of ``values`` (N,), of the subset's best; values in any order.

    E = sum_i v_(i) [C(i, n) - C(i-1, n)] / C(N, n), v_(1) the worst and v_(N) the best: drawn without
    replacement, so it has no bias where the slots are random. The weights C(i-1, n-1) / C(N, n) come from their
    ratios, none above 1, so N may be large. Sources: Dodge et al. 2019, "Show your work"; Tang et al. 2020,
    "Showing your work doesn't always work" (why without replacement). Raises ValueError as `mean_interval` does,
    and unless 1 <= n <= N.
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
    """`expected_best` for each of ``n`` (M,) over all repeats' slots, with a band that knows the repeats.

    ``values`` are R repeats of N slots, (R, N), or R arrays where some repeats have fewer; no n may be above the
    fewest. The slots of all repeats are one pool. Repeats are what is independent, so the band is mean -+
    t(R - 1) * s, s being the jackknife's standard error, which leaves one repeat out at a time. Sources: Tukey
    1958; Efron and Stein 1981. Raises ValueError as `expected_best` does.
    """
    repeats = [one_dimension(each, "values") for each in values]
    sizes = np.asarray(n, dtype=np.int64)
    if not repeats or sizes.ndim != 1 or (sizes.size and sizes.max() > min(each.size for each in repeats)):
        raise ValueError(f"n must be (M,) up to the slots of every repeat, got {sizes} for {len(repeats)} repeats")

    def curve(pool: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        slots = np.concatenate(pool)
        return np.array([expected_best(slots, int(each), lower_is_better=lower_is_better) for each in sizes])

    mean, r = curve(repeats), len(repeats)
    if r == 1:
        return Curve(sizes, mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    without = np.stack([curve(repeats[:each] + repeats[each + 1 :]) for each in range(r)])
    half = stdtrit(r - 1, 0.5 + confidence / 2) * np.sqrt((r - 1) * without.var(axis=0))
    return Curve(sizes, mean, mean - half, mean + half)
