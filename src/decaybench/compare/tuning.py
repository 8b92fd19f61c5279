"""What a search of n slots would have found: the expected best of n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from decaybench.compare.intervals import mean_interval, one_dimension


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
    """What a search of each of ``n`` (M,) slots finds: the mean over repeats of their `expected_best`, with a band.

    ``values`` are R repeats of N slots, (R, N), or R arrays where some have fewer; no n may be above the fewest.
    All repeats' slots are used, each within its own repeat: a search draws its slots in one, and a best of slots
    from several would gain from what sets the repeats apart. So n = N is the winners' mean score, and the band is the
    t interval over repeats, the unit of every interval. Raises ValueError as `expected_best` does.
    """
    repeats = [one_dimension(each, "values") for each in values]
    sizes = np.asarray(n, dtype=np.int64)
    if not repeats or sizes.ndim != 1:
        raise ValueError(f"values must be of one repeat or more and n (M,), got {len(repeats)} repeats and n = {sizes}")
    bands = [
        mean_interval([expected_best(each, int(size), lower_is_better=lower_is_better) for each in repeats], confidence)
        for size in sizes
    ]
    # None, where one repeat is all there is, becomes NaN
    mean, low, high = np.array(bands, dtype=np.float64).reshape(-1, 3).T
    return Curve(sizes, mean, low, high)
