"""Whether a search's range was too narrow."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from decaybench.compare.intervals import one_dimension

NEAR = 0.05
"""The share of a range that counts as its end."""
LEAST_SLOTS = 3
"""The fewest trials in a third of the range from which a trend is estimated."""


def edge(
    values: ArrayLike,
    results: ArrayLike,
    winner: float,
    low: float,
    high: float,
    log: bool,
    lower_is_better: bool = False,
) -> Literal["low", "high"] | None:
    """The end of the range at which the best configuration lies while results still improve towards it, or None.

    ``values`` (N,) are the parameter's values in N trials and ``results`` (N,) the results of the same trials.
    ``winner`` is the parameter's value in the best configuration. ``values``, ``winner``, ``low`` and ``high`` share
    one unit; with ``log``, distances are measured between logarithms.

    An end is returned if both hold: ``winner`` lies within 5% of the range from it, and results improve towards it
    (Spearman's rank correlation over the trials in that third of the range is positive). With fewer than three trials
    in that third, the answer is None. Pass a diverged trial with a finite, bad result, so that it counts.

    Raises ValueError for another shape, a value that is not finite, or an empty range (with ``log``, also for
    ``low`` <= 0).
    """
    x, y = one_dimension(values, "values"), one_dimension(results, "results")
    if x.shape != y.shape:
        raise ValueError(f"values and results must be of the same trials, got {x.size} and {y.size}")
    if not low < high or (log and low <= 0):
        raise ValueError(f"the range must have low < high, above 0 on a log axis; got {low} to {high}")
    scaled = np.array([winner, low, high, *x])
    if log:
        scaled = np.log(scaled)
    place = (scaled - scaled[1]) / (scaled[2] - scaled[1])  # 0 at the low end, 1 at the high one
    end: Literal["low", "high"] = "low" if place[0] < 0.5 else "high"
    distance = place if end == "low" else 1 - place
    third = distance[3:] <= 1 / 3
    if distance[0] > NEAR or third.sum() < LEAST_SLOTS:
        return None
    badness = y[third] if lower_is_better else -y[third]
    improving = np.cov(rankdata(distance[3:][third]), rankdata(badness))[0, 1] > 0
    return end if improving else None
