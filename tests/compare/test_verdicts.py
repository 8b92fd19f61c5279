import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaybench.compare import Interval, detectable, holm, judge, one_sided_p, p_better, paired_interval, rope

ROPE = 0.002
UP = np.linspace(-0.5, 0.5, 10)  # mean 0, standard deviation 0.335


def say(size):
    return f"{100 * size:.1f} points"


def one(differences, **options):
    (judged,) = judge([differences], ROPE, say, **options)
    return judged


def test_better_and_worse():
    d = 0.01 + 0.01 * UP
    assert one(d).verdict == "better"
    assert one(d).reason == "p < 0.001, ahead in 10 of 10 repeats, and more than 0.2 points"
    assert one(-d).verdict == "worse"
    assert one(-d).reason == "p < 0.001, behind in 10 of 10 repeats, and more than 0.2 points"


def test_the_numbers_are_those_of_the_room():
    many = [0.01 + 0.02 * UP, 0.003 + 0.01 * UP, 0.001 * UP]
    adjusted = holm([one_sided_p(d) for d in many])
    for d, p, judged in zip(many, adjusted, judge(many, ROPE, say), strict=True):
        assert (judged.difference, judged.p_better, judged.p_adjusted) == (paired_interval(d), p_better(d), p)
    assert judge(many, ROPE, say)[0].reason == (
        f"p = {adjusted[0]:.3g} after Holm over 3 pairs, ahead in 9 of 10 repeats, and more than 0.2 points"
    )


def test_holm_takes_a_verdict_away():
    d = 0.003 + 0.01 * UP  # p = .0098 alone
    assert one(d).verdict == "better"
    assert judge([d, 0.02 * UP, 0.03 * UP], ROPE, say)[0].verdict == "no difference shown"


def test_equivalent():
    assert one(0.001 * UP).verdict == "equivalent"
    assert one(0.001 * UP).reason == "the 95% interval lies within 0.2 points of no difference"
    small = one(0.001 + 0.0001 * UP)  # shown, but too small to matter
    assert small.verdict == "equivalent" and small.p_adjusted < 0.001


@pytest.mark.parametrize("size", [0.002, 0.0020000000000000005])
def test_a_difference_of_the_rope_matters_but_is_not_more(size):
    judged = one([size] * 10)
    assert judged.verdict == "difference shown, size unclear"
    assert judged.reason == "p < 0.001, but not more than 0.2 points"


def test_no_spread():
    assert one([0.0] * 5)[3:] == ("equivalent", "identical runs", None, None)
    assert one([0.01] * 5).verdict == "better" and one([-0.01] * 5).verdict == "worse"
    assert one([0.001] * 5).verdict == "equivalent"
    (same,) = judge([[0.0] * 5], 0.0, say)
    assert same.verdict == "equivalent"


def test_size_unclear():
    near = one(0.0018 + 0.004 * UP)
    assert near.verdict == "difference shown, size unclear" and near.reason.endswith("but not more than 0.2 points")
    seldom = one(np.array([0.02] * 13 + [-0.004] * 7))
    assert seldom.verdict == "difference shown, size unclear"
    assert seldom.reason.endswith("but ahead in 13 of 20 repeats only")


def test_no_difference_shown_says_what_could_have_been():
    d = 0.002 + 0.02 * UP
    judged = one(d)
    spread = d.std(ddof=1)
    assert judged.verdict == "no difference shown"
    assert judged.detectable == detectable(spread, 10)
    assert detectable(spread, judged.repeats_needed) <= 0.002 < detectable(spread, judged.repeats_needed - 1)
    assert judged.reason == (
        f"p = {one_sided_p(d):.3g}; 10 repeats could have shown {say(judged.detectable)} (with power 80%), "
        f"the observed 0.2 points would need {judged.repeats_needed} repeats"
    )


def test_no_difference_at_all_needs_no_repeats():
    judged = one([0.01, -0.01, 0.02, -0.02, 0.0])
    assert judged.verdict == "no difference shown" and judged.repeats_needed is None
    assert "would need" not in judged.reason
    assert one([0.01, -0.01, 0.02, -0.02, 0.00001]).reason.endswith("would need more than 10,000 repeats")


def test_too_few_repeats():
    judged = one([0.1, 0.2, 0.3])
    assert judged.difference == paired_interval([0.1, 0.2, 0.3])
    assert judged[1:] == (None, 1.0, "no verdict", "too few repeats: 3 of at least 5", None, None)
    assert one([0.1]).difference == Interval(0.1, None, None)
    assert one([])[:5] == (None, None, None, "no verdict", "too few repeats: 0 of at least 5")
    assert one([0.1, 0.2, 0.3], least_repeats=3).verdict != "no verdict"


def test_a_comparison_that_is_not_judged_still_counts_for_holm():
    d = 0.01 + 0.01 * UP
    full, short = judge([d, [0.1]], ROPE, say)
    assert full.p_adjusted == pytest.approx(2 * one_sided_p(d)) and short.verdict == "no verdict"


def test_withheld():
    for judged in judge([0.01 + 0.01 * UP, [0.0] * 10, []], ROPE, say, withheld="an unequal ledger"):
        assert (judged.verdict, judged.reason, judged.p_adjusted) == ("no verdict", "an unequal ledger", None)
    assert one(0.01 + UP, withheld="so").difference == paired_interval(0.01 + UP)
    assert one(0.01 + UP, withheld="so").p_better == p_better(0.01 + UP)


MIRROR = {"better": "worse", "worse": "better"}


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(-0.02, 0.02), st.floats(0, 0.02)), max_size=6))
def test_turning_mirrors_the_verdicts(arms):
    many = [np.round(np.random.default_rng(seed).normal(mean, spread, 8), 4) for seed, mean, spread in arms]
    for there, back in zip(judge(many, ROPE, say), judge([-d for d in many], ROPE, say), strict=True):
        assert back.verdict == MIRROR.get(there.verdict, there.verdict)
        assert back.difference == (-there.difference.mean, -there.difference.high, -there.difference.low)
        assert back.p_better == pytest.approx(1 - there.p_better)
        assert (back.p_adjusted, back.detectable, back.repeats_needed) == (
            there.p_adjusted,
            there.detectable,
            there.repeats_needed,
        )


@pytest.mark.parametrize("bad", [[0.1, float("nan"), 0.1, 0.1, 0.1], [[0.1] * 5], [float("inf")]])
def test_bad_differences_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        judge([bad], ROPE, say)


def test_bad_options_are_refused():
    for bad in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="ROPE"):
            judge([], bad, say)
        with pytest.raises(ValueError, match="ROPE"):
            rope("accuracy", 100, bad)
    with pytest.raises(ValueError, match="least_repeats"):
        judge([], ROPE, say, least_repeats=1)


def test_rope():
    assert rope("accuracy", 10_000) == 0.002
    assert rope("accuracy", 360) == 2 / 360
    assert rope("loss", 360) == 0.01
    assert rope("loss", 360, 0.05) == rope("accuracy", 10, 0.05) == 0.05
    for bad in [("f1", 100), ("accuracy", 0)]:
        with pytest.raises(ValueError, match="metric must be"):
            rope(*bad)
