"""What other tuning budgets would have found: the expected test result of a search of n trials."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from decaybench.compare.pooled import Floats, Trials, independent_weights, standard_error


class Curve(NamedTuple):
    """The expected result of ``n`` (M,) trials and its band, more being better; NaN bounds with one repeat."""

    n: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats


def tuning_curve(trials: Trials, n: ArrayLike, confidence: float = 0.95) -> Curve:
    """The expected test result of the trial that validation picks among ``n`` (M,) independent draws from the pool.

    The band is mean -+ t(R - 1) SE, with the jackknife's standard error over repeats. Sources: Dodge et al. 2019, "Show
    your work"; Tang et al. 2020. Raises ValueError for an n above the trials of all repeats but one.
    """
    sizes = np.asarray(n, dtype=np.int64)
    ordered, of, r = trials.test.ravel()[trials.order], trials.order // trials.n, trials.repeats

    def curve(values: Floats) -> Floats:
        return np.array([independent_weights(values.size, int(size)) @ values for size in sizes])

    mean = curve(ordered)
    if r == 1:
        return Curve(sizes, mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    without = np.stack([curve(ordered[of != repeat]) for repeat in range(r)])
    half = stdtrit(r - 1, 0.5 + confidence / 2) * standard_error(without.T)
    return Curve(sizes, mean, mean - half, mean + half)
