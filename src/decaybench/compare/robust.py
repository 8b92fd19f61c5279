"""Summaries of many runs: robust means, profiles and time to target."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from decaybench.compare.intervals import one_dimension


def performance_profile(values: ArrayLike, tau: ArrayLike, *, lower_is_better: bool = False) -> NDArray[np.float64]:
    """rho_s(tau), (S, M): the share of the T tasks on which strategy s is within ``tau`` (M,) of the task's best.

    ``values`` (S, T) hold one number per strategy and task. rho_s(tau) = mean_t 1[best_t - v_st <= tau], with ``tau``
    a difference in the unit of ``values``. rho_s(0) is the share of tasks on which s is best, ties included.

    Source: Dolan and More 2002, with a difference instead of their ratio, since ratios of accuracies say little.
    Raises ValueError for another shape, no values or a value that is not finite.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or not v.size or not np.isfinite(v).all():
        raise ValueError(f"values must be (S, T), finite, got shape {v.shape}")
    gap = v - v.min(axis=0) if lower_is_better else v.max(axis=0) - v
    rho: NDArray[np.float64] = np.mean(gap[:, :, None] <= one_dimension(tau, "tau"), axis=1)
    return rho


def time_to_target(
    curve: ArrayLike, target: float, updates_per_epoch: float, *, lower_is_better: bool = False
) -> float:
    """The number of updates until ``curve`` (E,), the value at the end of each epoch, first reaches ``target``.

    Infinite if it never does, or if there are no epochs; NaN does not reach any target. Source: Dahl et al. 2023
    (AlgoPerf).
    """
    values = np.asarray(curve, dtype=np.float64)
    hits = np.flatnonzero(values <= target if lower_is_better else values >= target)
    return float((hits[0] + 1) * updates_per_epoch) if hits.size else math.inf
