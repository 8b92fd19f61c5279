"""One list of strategies against another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def family_differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """(R,): a repeat's mean over the strategies of ``first`` (A, R) minus its mean over ``second`` (B, R).

    It speaks of these strategies, not of others of their families: their choice is not sampled. A repeat that
    a strategy has not (NaN) is NaN. For a loss, swap the two so that positive favours the first family. Raises
    ValueError for other shapes.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or not len(a) or not len(b) or a.shape[1] != b.shape[1]:
        raise ValueError(f"families must be (A, R) and (B, R) with A and B >= 1, got {a.shape} and {b.shape}")
    difference: NDArray[np.float64] = a.mean(axis=0) - b.mean(axis=0)
    return difference
