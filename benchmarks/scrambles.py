"""Points of a repeat as a sweep draws them: scrambled Sobol sequences, stored once and drawn from again and again."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from decaybench.search.balanced import TOGETHER

Array = NDArray[np.float64]
STORED = 2000


def scramble(points: int, dims: int, key: tuple[int, ...]) -> Array:
    """The first ``points`` of one scramble, (points, dims), in [0, 1)."""
    drawn: Array = qmc.Sobol(dims, rng=np.random.default_rng(key)).random_base2(max(points - 1, 0).bit_length())
    return drawn[:points]


@cache
def shared(points: int) -> Array:
    """The base learning rate's coordinate in `STORED` scrambles, (STORED, points)."""
    return np.stack([scramble(points, TOGETHER, (0, points, i))[:, 0] for i in range(STORED)])


@cache
def own(points: int, dims: int) -> Array:
    """A strategy's own coordinates in `STORED` scrambles, (STORED, points, dims): those after the shared ones'."""
    return np.stack([scramble(points, TOGETHER + dims, (1, points, i))[:, TOGETHER:] for i in range(STORED)])
