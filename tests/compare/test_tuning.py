from itertools import combinations

import numpy as np
import pytest

from decaybench.compare import Trials, tuning_curve


def made(repeats, n, seed=0):
    rng = np.random.default_rng(seed)
    validation, loss, test = rng.random((3, repeats, n))
    return Trials(validation, loss, test, "independent")


def picked(trials, subset):
    best = max(subset, key=lambda i: trials.validation.ravel()[i])
    return trials.test.ravel()[best]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_it_is_the_mean_test_result_over_all_subsets(n):
    trials = made(4, 2)
    every = [picked(trials, subset) for subset in combinations(range(8), n)]
    assert tuning_curve(trials, [n]).mean[0] == pytest.approx(np.mean(every), rel=0, abs=1e-12)


def test_the_band_is_the_jackknife_over_repeats():
    trials = made(5, 3)
    curve = tuning_curve(trials, [1, 2, 4])
    for at, n in enumerate(curve.n):
        kept = [[r for r in range(5) if r != left_out] for left_out in range(5)]
        without = [
            tuning_curve(Trials(trials.validation[k], trials.loss[k], trials.test[k], "independent"), [n]).mean[0]
            for k in kept
        ]
        error = np.sqrt(4 / 5 * np.sum((without - np.mean(without)) ** 2))
        assert curve.high[at] - curve.mean[at] == pytest.approx(2.7764451051977987 * error, rel=1e-9)  # t(.975, 4)
        assert curve.mean[at] - curve.low[at] == pytest.approx(curve.high[at] - curve.mean[at], rel=1e-9)


def test_one_repeat_has_no_band_and_more_than_is_left_is_refused():
    curve = tuning_curve(made(1, 4), [1, 4])
    assert np.isfinite(curve.mean).all() and np.isnan(curve.low).all() and np.isnan(curve.high).all()
    with pytest.raises(ValueError, match="n must be from 1 to the 4 trials, got 5"):
        tuning_curve(made(2, 4), [5])
