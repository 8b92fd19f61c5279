"""Means with Student's t intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit


class Interval(NamedTuple):
    """A mean and its interval, in the unit of the values; the bounds are None if there is only one value."""

    mean: float
    low: float | None
    high: float | None


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """The mean of ``values`` (R,), one per repeat, and its two-sided t interval.

    The interval is mean -+ t(1 - (1 - confidence) / 2; R - 1) * s / sqrt(R), where s is the standard deviation with
    R - 1 in its denominator. With R = 1 the bounds are None. Bounds are not clipped to possible values: that of an
    accuracy may exceed 1. Source: Student 1908. Raises ValueError for another shape, no values, or a value that is
    not finite.
    """
    x = one_dimension(values, "values")
    mean = float(x.mean())
    if x.size == 1:
        return Interval(mean, None, None)
    half = float(stdtrit(x.size - 1, 0.5 + confidence / 2)) * float(x.std(ddof=1)) / float(np.sqrt(x.size))
    return Interval(mean, mean - half, mean + half)


def paired_interval(differences: ArrayLike, confidence: float = 0.95) -> Interval:
    """The paired t interval of ``differences`` (R,): for each repeat, the value of a minus the value of b.

    Pairing cancels what the strategies share within a repeat. Raises ValueError as `mean_interval` does.
    """
    return mean_interval(one_dimension(differences, "differences"), confidence)


def one_dimension(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """``values`` as float64 (R,); ValueError unless R >= 1 and all are finite."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"{name} must be (R,) with R >= 1, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, got {x[~np.isfinite(x)][0]}")
    return x
