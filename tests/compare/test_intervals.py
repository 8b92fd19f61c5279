import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from decaybench.compare import Interval, mean_interval, paired_interval


def test_the_interval_is_scipys() -> None:
    a = np.array([0.91, 0.93, 0.92, 0.95, 0.90])
    b = np.array([0.90, 0.91, 0.93, 0.92, 0.89])
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    ours = paired_interval(a - b)
    assert ours.mean == pytest.approx((a - b).mean(), abs=1e-15)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-14)


def test_two_values_by_hand() -> None:
    # t(0.975; 1) = 12.7062, s / sqrt(2) = 0.5
    assert mean_interval([1.0, 2.0]) == pytest.approx((1.5, 1.5 - 6.353102368, 1.5 + 6.353102368))


def test_one_value_has_no_interval() -> None:
    assert mean_interval([0.5]) == Interval(0.5, None, None)


@given(st.floats(-1e6, 1e6), st.integers(2, 30))
def test_no_spread_no_width_no_warning(value: float, repeats: int) -> None:
    interval = paired_interval([value] * repeats)
    assert interval == pytest.approx((value, value, value), rel=1e-12, abs=1e-300)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=20))
def test_swapping_the_arms_mirrors_everything(differences: list[float]) -> None:
    d = np.array(differences)
    there, back = paired_interval(d), paired_interval(-d)
    assert there.low is not None and there.high is not None
    assert back == pytest.approx((-there.mean, -there.high, -there.low))


@pytest.mark.parametrize("bad", [[], [[0.1, 0.2]], 0.3, [0.1, float("nan")], [float("inf")]])
@pytest.mark.parametrize("function", [mean_interval, paired_interval])
def test_bad_values_are_refused(function, bad) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        function(bad)
