"""A family of strategies as one side of a comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def family_means(values: ArrayLike) -> NDArray[np.float64]:
    """The family's result in each repeat, (R,): the mean over its A strategies' ``values`` (A, R), in their unit.

    A repeat in which any strategy is NaN is NaN for the family too. The result describes these strategies, not the
    family in general. Raises ValueError for another shape or an empty family.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 2 or not v.size:
        raise ValueError(f"values must be (A, R), got shape {v.shape}")
    means: NDArray[np.float64] = v.mean(axis=0)
    return means
