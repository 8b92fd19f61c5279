import math

import numpy as np
import pytest
from scipy import stats

from decaybench.compare import (
    Interval,
    performance_profile,
    time_to_target,
    wilson,
)


def test_a_profile_by_hand():
    values = [[0.9, 0.5, 0.7], [0.8, 0.5, 0.9]]
    assert performance_profile(values, [0, 0.15, 1]) == pytest.approx(np.array([[2 / 3, 2 / 3, 1], [2 / 3, 1, 1]]))


@pytest.mark.parametrize("bad", [[0.1], [[]], [[0.1, float("nan")]]])
def test_no_profile_of_bad_values(bad):
    with pytest.raises(ValueError, match="values must be"):
        performance_profile(bad, [0.1])


def test_time_to_target():
    assert time_to_target([0.1, 0.5, 0.4, 0.9], 0.5, 18) == 36
    assert time_to_target([2.0, math.nan, 0.4], 0.5, 18, lower_is_better=True) == 54
    assert time_to_target([0.1, 0.5], 0.6, 18) == math.inf
    assert time_to_target([], 0.6, 18) == math.inf


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (1, 1)])
def test_wilson_by_its_formula(successes, n):
    z, p = stats.norm.isf(0.025), successes / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = wilson(successes, n)
    assert found == pytest.approx((p, middle - half, middle + half))
    assert 0 <= found.low < found.high <= 1


def test_no_runs_no_rate():
    rate = wilson(0, 0)
    assert math.isnan(rate.mean) and rate[1:] == (None, None)
    assert isinstance(rate, Interval)
    for bad in [(3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="successes must be"):
            wilson(*bad)
