import itertools

import numpy as np
import pytest
from scipy import stats

from compare.contests import contest, normal, runs
from decaybench.compare.contest import Contest
from decaybench.compare.looks import planned
from decaybench.compare.pairs import (
    VERDICTS,
    Inconclusive,
    Same,
    Shown,
    SizeUnclear,
    TooFew,
    Withheld,
    WithinMargin,
    judge,
    mirrored,
    too_few,
)
from decaybench.compare.pooled import Trials

STEPS = np.resize([1.0, -1.0, 2.0, -2.0], 40)


def pair(a, b, margin, repeats=None, withheld=(), **options):
    (found,) = judge(contest([runs(a), runs(b)], repeats, **options), margin, withheld)
    return found


def noisy(shift, seed=0, spread=0.1):
    return shift + spread * np.random.default_rng(seed).standard_normal(40)


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_those_of_the_last_common_look(seed):
    trials = normal(seed, [0.5, 0])
    (found,) = judge(contest(trials, [40, 13]), 0.1)
    a, b = trials[0].test[:12, 0], trials[1].test[:12, 0]
    assert found.repeats == 12
    assert found.difference == pytest.approx((a - b).mean())
    assert found.error == pytest.approx((a - b).std(ddof=1) / np.sqrt(12))
    half = stats.t.isf(0.025 * 0.8 * 3 / 40, 11) * found.error
    assert (found.low, found.high) == pytest.approx((found.difference - half, found.difference + half))
    assert found.p_better == pytest.approx(np.mean(a[:, None] > b))
    assert found.p_adjusted == pytest.approx(contest(trials, [40, 13]).adjusted[0, 1])


def test_better_and_worse():
    found = pair(noisy(1), noisy(0, 1), 0.5)
    assert (found.verdict, found.reason) == ("better", Shown(True, 0.5))
    found = pair(noisy(0), noisy(1, 1), 0.5)
    assert (found.verdict, found.reason) == ("worse", Shown(False, 0.5))


def test_shown_but_not_beyond_the_margin():
    found = pair(noisy(0.3, spread=0.01), noisy(0, 1, spread=0.01), 0.5)
    assert (found.verdict, found.reason) == ("different, size unclear", SizeUnclear(True, False, True, 0.5))


def test_shown_and_beyond_the_margin_but_not_often():
    # ahead by .2 in every repeat, while repeats differ by up to 4
    found = pair(noisy(0.2, spread=0.01) + STEPS, noisy(0, 1, spread=0.01) + STEPS, 0.1)
    assert found.p_better < 0.75
    assert (found.verdict, found.reason) == ("different, size unclear", SizeUnclear(True, True, False, 0.1))


def test_a_difference_of_exactly_the_margin_is_not_beyond_it():
    found = pair(np.full(6, 0.3), np.full(6, 0.1), 0.2, to=6)  # the floating-point difference is above .2's
    assert found.reason == SizeUnclear(True, False, True, 0.2)
    assert pair(np.full(6, 0.3), np.full(6, 0.1), 0.1999, to=6).verdict == "better"


@pytest.mark.parametrize(("wins", "verdict"), [(6, "better"), (5, "different, size unclear")])
def test_three_of_four_searches_are_enough(wins, verdict):
    # against a constant the share of pairs is the share of repeats: 6 of 8, and 5 of 8, far ahead
    a = np.where(np.arange(8) < wins, 1.0, -1e-3)
    found = pair(a, np.zeros(8), 0.1, start=8, to=8)
    assert found.p_better == wins / 8
    assert found.verdict == verdict


def test_shown_once_though_now_the_other_is_ahead():
    found = pair(np.concatenate([noisy(5)[:6], noisy(-2)[6:]]), noisy(0, 1), 0.5)
    assert found.difference < -0.5
    assert found.reason == SizeUnclear(True, False, False, 0.5)


def test_equivalent_by_both_bounds_of_the_whole_contest():
    trials = [runs(noisy(shift, seed)) for seed, shift in enumerate((0, 0.01, 0.02))]
    found = contest(trials)
    for each in judge(found, 0.5):
        bound = max(found.bounds[each.a], found.bounds[each.b])
        assert (each.verdict, each.reason) == ("equivalent", WithinMargin(bound, 0.5))
    # beside one that is far ahead the same two are not within the margin of the best
    ahead = contest([*trials, runs(noisy(3, 7))])
    assert {each.verdict for each in judge(ahead, 0.5) if each.b < 3} == {"inconclusive"}


def test_the_same_runs_are_equivalent_whatever_leads():
    same = noisy(0)
    found = {(p.a, p.b): p for p in judge(contest([runs(same), runs(same), runs(noisy(9, 3))]), 0.5)}
    assert (found[0, 1].verdict, found[0, 1].reason) == ("equivalent", Same())
    assert found[0, 1][3:9] == (0, 0, 0, 0, 1, 0.5)
    assert found[0, 2].verdict == "worse"


def test_equal_test_results_of_different_runs_are_not_the_same():
    a, b = runs(noisy(0)), runs(noisy(0), loss=noisy(1))
    (found,) = judge(contest([a, b], finest=0.01), 0.0)
    assert found.verdict == "inconclusive"
    assert found.reason == Inconclusive(None)


def test_inconclusive_with_the_repeats_needed():
    found = pair(noisy(0.03), noisy(0, 1), 0.001, [6, 6])
    assert found.verdict == "inconclusive"
    assert found.reason.needed > 6
    assert pair(np.zeros(6), np.resize([1.0, -1.0], 6), 0.1, to=6, finest=0.1).reason == Inconclusive(None)


@pytest.mark.parametrize("repeats", [6, 9, 15])
def test_more_repeats_are_needed_than_were_made(repeats):
    found = []
    for seed in range(40):
        found += judge(contest(normal(seed, [0, 1.5]), [repeats] * 2), 0.1)
    needed = [each.reason.needed for each in found if each.verdict == "inconclusive"]
    assert len(needed) > 5
    assert min(needed) > repeats


def test_no_verdict_before_the_first_look():
    found = pair(noisy(0), noisy(0, 1), 0.5, [6, 4])
    assert found == (0, 1, 0, None, None, None, None, None, None, "no verdict", TooFew("repeats", 0, 6))


def test_no_verdict_with_one_repeat_has_no_interval():
    one = Contest([runs([1.0]), runs([0.0])], [1, 1], planned(1, 1), 0.01)
    (found,) = judge(one, 0.5, too_few(one, 300))
    assert found.verdict == "no verdict"
    assert (found.repeats, found.difference, found.error, found.low, found.high) == (1, 1.0, None, None, None)
    assert found.reason == TooFew("trials", 1, 6)


def test_withheld_verdicts_keep_their_numbers():
    found = pair(noisy(1), noisy(0, 1), 0.5, withheld=("unequal budgets",))
    assert (found.verdict, found.reason) == ("no verdict", Withheld(("unequal budgets",)))
    assert found.p_adjusted is None
    assert found.difference is not None and found.low < found.difference < found.high


def test_too_few_of_each():
    def there(n, repeats):
        trials = [Trials(*np.random.default_rng(s).random((3, repeats, n)), "independent") for s in range(2)]
        return Contest(trials, [repeats] * 2, planned(repeats, repeats))

    assert too_few(there(6, 5), 100) is None
    assert too_few(there(5, 5), 100) == TooFew("trials", 5, 6)
    assert too_few(there(6, 4), 100) == TooFew("repeats", 4, 5)
    assert too_few(there(6, 5), 99) == TooFew("test images", 99, 100)


def test_only_tested_pairs_are_judged():
    trials = normal(0, [0, 0, 1, 2])
    assert [(p.a, p.b) for p in judge(contest(trials), 0.5)] == list(itertools.combinations(range(4), 2))
    assert [(p.a, p.b) for p in judge(contest(trials, control=1), 0.5)] == [(0, 1), (1, 2), (1, 3)]


@pytest.mark.parametrize("seed", range(5))
def test_mirrored_is_what_the_other_order_gives(seed):
    trials = normal(seed, [0, 0.1, 0.8, 2])
    trials += [runs(trials[0].test[:, 0])]
    there = judge(contest(trials), 0.5)
    back = {(4 - p.b, 4 - p.a): p for p in judge(contest(trials[::-1]), 0.5)}
    for each in there:
        other = back[each.a, each.b]
        turned = mirrored(other._replace(a=4 - other.a, b=4 - other.b))
        assert (turned.a, turned.b, turned.verdict) == (each.a, each.b, each.verdict)
        assert turned[3:9] == pytest.approx(each[3:9])
        assert type(turned.reason) is type(each.reason)


def test_every_verdict_has_its_mirror():
    assert all(VERDICTS[VERDICTS[verdict]] == verdict for verdict in VERDICTS)
    better = pair(noisy(1), noisy(0, 1), 0.5)
    assert mirrored(better).verdict == "worse"
    assert mirrored(better).reason == Shown(False, 0.5)
    assert mirrored(mirrored(better)).reason == better.reason
    none = pair(noisy(0), noisy(0, 1), 0.5, [6, 4])
    assert mirrored(none)[2:] == none[2:]
