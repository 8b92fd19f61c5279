import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from decaybench.compare.significance import detectable, holm, repeats_needed


def test_holm_by_hand():
    # .01 * 3; .02 * 2 = .04; .04 * 1 is raised to the one before
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).shape == (0,)


@pytest.mark.parametrize("bad", [[1.5], [-0.1], [float("nan")], [[0.1]]])
def test_what_is_no_p_is_refused(bad):
    with pytest.raises(ValueError, match="p must be"):
        holm(bad)


@pytest.mark.parametrize("repeats", [2, 5, 10, 20, 500])
@pytest.mark.parametrize("tests", [1, 15, 105])
def test_what_is_detectable_has_power_80(repeats, tests):
    shift = detectable(0.3, repeats, tests) * np.sqrt(repeats) / 0.3
    critical = stats.t.isf(0.025 / tests, repeats - 1)
    assert stats.nct.sf(critical, repeats - 1, shift) == pytest.approx(0.8, abs=1e-4)


def test_power_by_simulation():
    shift = detectable(1.0, 10)
    d = np.random.default_rng(0).normal(shift, 1, (20_000, 10))
    found = stats.ttest_1samp(d, 0, axis=1, alternative="greater").pvalue < 0.025
    assert found.mean() == pytest.approx(0.8, abs=0.012)


@given(st.floats(0.05, 5), st.sampled_from([1, 15, 105]))
def test_the_repeats_needed_are_the_fewest(difference, tests):
    needed = repeats_needed(-difference, 1.0, tests)
    assert needed is not None
    assert detectable(1.0, needed, tests) <= difference
    assert needed == 2 or detectable(1.0, needed - 1, tests) > difference


def test_what_no_number_of_repeats_shows():
    assert repeats_needed(0.0, 1.0) is None
    assert repeats_needed(1e-9, 1.0) is None
