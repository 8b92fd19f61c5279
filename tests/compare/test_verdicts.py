from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaybench.compare import (
    VERDICTS,
    Interval,
    NotShown,
    TooFew,
    Verdict,
    Withheld,
    detectable,
    holm,
    judge,
    mirrored,
    one_sided_p,
    p_better,
    paired_interval,
    repeats_needed,
    rope,
)
from decaybench.compare.verdicts import Identical, Shown, SizeUnclear, WithinRope

ROPE = 0.002
UP = np.linspace(-0.5, 0.5, 10)  # mean 0, standard deviation 0.335


def one(differences, **options):
    (judged,) = judge([differences], ROPE, **options)
    return judged


def test_better_and_worse():
    d = 0.01 + 0.01 * UP
    assert one(d).verdict == "better"
    assert one(d).reason == Shown(one_sided_p(d), 1, ahead=True, wins=10, repeats=10, rope=ROPE)
    assert one(-d).verdict == "worse"
    assert one(-d).reason == Shown(one_sided_p(d), 1, ahead=False, wins=10, repeats=10, rope=ROPE)


def test_the_numbers_are_those_of_the_room():
    many = [0.01 + 0.02 * UP, 0.003 + 0.01 * UP, 0.001 * UP]
    adjusted = holm([one_sided_p(d) for d in many])
    for d, p, judged in zip(many, adjusted, judge(many, ROPE), strict=True):
        assert (judged.difference, judged.p_better, judged.p_adjusted) == (paired_interval(d), p_better(d), p)
    assert judge(many, ROPE)[0].reason == Shown(adjusted[0], 3, ahead=True, wins=9, repeats=10, rope=ROPE)


def test_holm_takes_a_verdict_away():
    d = 0.003 + 0.01 * UP  # p = .0098 alone
    assert one(d).verdict == "better"
    assert judge([d, 0.02 * UP, 0.03 * UP], ROPE)[0].verdict == "no difference shown"


def test_equivalent():
    assert one(0.001 * UP).verdict == "equivalent"
    assert one(0.001 * UP).reason == WithinRope(ROPE)
    small = one(0.001 + 0.0001 * UP)  # shown, but too small to matter
    assert small.verdict == "equivalent" and small.p_adjusted < 0.001


@pytest.mark.parametrize("size", [0.002, 0.0020000000000000005])
def test_a_difference_of_the_rope_matters_but_is_not_more(size):
    judged = one([size] * 10)
    assert judged.verdict == "difference shown, size unclear"
    p = one_sided_p([size] * 10)
    assert judged.reason == SizeUnclear(p, 1, False, True, ahead=True, wins=10, repeats=10, rope=ROPE)


def test_no_spread():
    assert one([0.0] * 5)[3:] == ("equivalent", Identical())
    assert one([0.01] * 5).verdict == "better" and one([-0.01] * 5).verdict == "worse"
    assert one([0.001] * 5).verdict == "equivalent"
    (same,) = judge([[0.0] * 5], 0.0)
    assert same.verdict == "equivalent"


def test_size_unclear():
    near = one(0.0018 + 0.004 * UP)
    assert near.verdict == "difference shown, size unclear" and (near.reason.beyond, near.reason.often) == (False, True)
    seldom = one(np.array([0.02] * 13 + [-0.004] * 7))
    assert seldom.verdict == "difference shown, size unclear"
    assert (seldom.reason.beyond, seldom.reason.often) == (True, False)
    assert seldom.reason[4:7] == (True, 13, 20)


def test_no_difference_shown_says_what_could_have_been():
    d = 0.002 + 0.02 * UP
    judged = one(d)
    spread = d.std(ddof=1)
    assert judged.verdict == "no difference shown"
    assert judged.reason == NotShown(
        one_sided_p(d), 1, 10, detectable(spread, 10), abs(d.mean()), repeats_needed(d.mean(), spread)
    )
    needed = judged.reason.needed
    assert detectable(spread, needed) <= 0.002 < detectable(spread, needed - 1)


def test_no_difference_at_all_needs_no_repeats():
    judged = one([0.01, -0.01, 0.02, -0.02, 0.0])
    assert judged.verdict == "no difference shown"
    assert (judged.reason.difference, judged.reason.needed) == (0, None)
    tiny = one([0.01, -0.01, 0.02, -0.02, 0.00001]).reason
    assert tiny.difference == pytest.approx(2e-6) and tiny.needed is None


def test_too_few_repeats():
    judged = one([0.1, 0.2, 0.3])
    assert judged.difference == paired_interval([0.1, 0.2, 0.3])
    assert judged[1:] == (None, 1.0, "no verdict", TooFew("repeats", 3, 5))
    assert one([0.1]).difference == Interval(0.1, None, None)
    assert one([]) == (None, None, None, "no verdict", TooFew("repeats", 0, 5))
    assert one([0.1, 0.2, 0.3], least_repeats=3).verdict != "no verdict"


def test_a_comparison_that_is_not_judged_still_counts_for_holm():
    d = 0.01 + 0.01 * UP
    full, short = judge([d, [0.1]], ROPE)
    assert full.p_adjusted == pytest.approx(2 * one_sided_p(d)) and short.verdict == "no verdict"


def test_withheld():
    for judged in judge([0.01 + 0.01 * UP, [0.0] * 10, []], ROPE, withheld=["an unequal ledger"]):
        assert judged[3:] == ("no verdict", Withheld(("an unequal ledger",))) and judged.p_adjusted is None
    assert one(0.01 + UP, withheld=["so"]).difference == paired_interval(0.01 + UP)
    assert one(0.01 + UP, withheld=["so"]).p_better == p_better(0.01 + UP)


def test_every_verdict_has_a_mirror_that_is_its_own_mirror_s():
    assert set(VERDICTS) == set(get_args(Verdict)) == {VERDICTS[mirror] for mirror in VERDICTS.values()}
    assert all(VERDICTS[mirror] == verdict for verdict, mirror in VERDICTS.items())


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(-0.02, 0.02), st.floats(0, 0.02)), max_size=6))
def test_turning_mirrors_the_verdicts(arms):
    many = [np.round(np.random.default_rng(seed).normal(mean, spread, 8), 4) for seed, mean, spread in arms]
    for there, back in zip(judge(many, ROPE), judge([-d for d in many], ROPE), strict=True):
        assert back.verdict == VERDICTS[there.verdict]
        assert back.difference == (-there.difference.mean, -there.difference.high, -there.difference.low)
        assert back.p_better == pytest.approx(1 - there.p_better)
        assert back.p_adjusted == there.p_adjusted
        assert type(back.reason) is type(there.reason) and back.reason == mirrored(there.reason)


@pytest.mark.parametrize("bad", [[0.1, float("nan"), 0.1, 0.1, 0.1], [[0.1] * 5], [float("inf")]])
def test_bad_differences_are_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        judge([bad], ROPE)


def test_bad_options_are_refused():
    for bad in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="ROPE"):
            judge([], bad)
        with pytest.raises(ValueError, match="ROPE"):
            rope("accuracy", 100, bad)
    with pytest.raises(ValueError, match="least_repeats"):
        judge([], ROPE, least_repeats=1)


def test_rope():
    assert rope("accuracy", 10_000) == 0.002
    assert rope("accuracy", 360) == 2 / 360
    assert rope("loss", 360) == 0.01
    assert rope("loss", 360, 0.05) == rope("accuracy", 10, 0.05) == 0.05
    for bad in [("f1", 100), ("accuracy", 0)]:
        with pytest.raises(ValueError, match="metric must be"):
            rope(*bad)
