from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from decaybench.compare import expected_best, expected_best_curve, mean_interval


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8), st.integers(1, 8))
def test_it_is_the_mean_over_all_subsets(values, n):
    best = [max(subset) for subset in combinations(values, n)]
    least = [min(subset) for subset in combinations(values, n)]
    assert expected_best(values, n) == pytest.approx(np.mean(best), rel=0, abs=1e-12)
    assert expected_best(values, n, lower_is_better=True) == pytest.approx(np.mean(least), rel=0, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 1000, 99_999, 100_000])
def test_many_slots(n):
    # of 1 .. N, the expected largest of n is n (N + 1) / (n + 1)
    values = np.random.default_rng(0).permutation(np.arange(1, 100_001))
    assert expected_best(values, n) == pytest.approx(n * 100_001 / (n + 1), rel=1e-11)


@pytest.mark.parametrize("n", [0, 4, -1])
def test_n_outside_is_refused(n):
    with pytest.raises(ValueError, match="n must be from 1 to the 3 values"):
        expected_best([1.0, 2.0, 3.0], n)


def test_the_curve_is_of_one_pool_and_its_band_the_jackknife_over_repeats():
    values = np.random.default_rng(0).normal(size=(5, 8))
    n = [1, 3, 8]
    curve = expected_best_curve(values, n)
    for at, size in enumerate(n):
        without = [expected_best(np.delete(values, repeat, axis=0).ravel(), size) for repeat in range(5)]
        assert curve.mean[at] == expected_best(values.ravel(), size)
        error = np.sqrt(4 / 5 * np.sum((np.array(without) - np.mean(without)) ** 2))
        assert curve.high[at] - curve.mean[at] == pytest.approx(t.ppf(0.975, 4) * error)
        assert curve.mean[at] - curve.low[at] == pytest.approx(curve.high[at] - curve.mean[at])
    # at n = 1 it is the t interval of the repeats' means
    assert (curve.mean[0], curve.low[0], curve.high[0]) == pytest.approx(mean_interval(values.mean(axis=1)))
    turned = expected_best_curve(-values, n, lower_is_better=True)
    assert turned.mean == pytest.approx(-curve.mean) and turned.low == pytest.approx(-curve.high)


def test_the_band_covers_what_the_curve_is_on_average():
    # repeats have a luck of their own, which a band over slots alone would miss
    rng = np.random.default_rng(2)
    slots = rng.exponential(size=(1000, 5, 16)) + rng.normal(0, 0.5, (1000, 5, 1))
    bands = [expected_best_curve(each, [4]) for each in slots]
    truth = np.mean([band.mean[0] for band in bands])
    covered = np.mean([band.low[0] <= truth <= band.high[0] for band in bands])
    assert 0.92 < covered < 0.975


def test_repeats_may_differ_in_slots_and_one_has_no_band():
    ragged = [np.arange(4.0), np.arange(3.0)]
    assert expected_best_curve(ragged, [3]).mean[0] == expected_best([0, 1, 2, 3, 0, 1, 2], 3)
    one = expected_best_curve([np.arange(4.0)], [1, 4])
    assert one.mean.tolist() == [1.5, 3] and np.isnan(one.low).all() and np.isnan(one.high).all()
    assert expected_best_curve(ragged, []).mean.shape == (0,)
    for bad in ([4], [[1]], [0]):
        with pytest.raises(ValueError, match=r"n must be"):
            expected_best_curve(ragged, bad)
