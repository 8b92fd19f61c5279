import itertools

import numpy as np
import pytest
from scipy import stats

from compare.contests import contest, normal, runs
from decaybench.compare.contest import LEVEL, Contest
from decaybench.compare.looks import planned, spends
from decaybench.compare.pooled import Trials

LOOKS = planned(6, 40)


def gap_by_hand(trials, i, j, level, strategies):
    """up_ij, the rule in words."""
    found = []
    for look, share in list(zip(LOOKS, spends(LOOKS), strict=True))[:level]:
        d = trials[j].test[: look.repeats, 0] - trials[i].test[: look.repeats, 0]
        quantile = stats.t.isf(0.05 / max(2, strategies - 1) * share, look.repeats - 1)
        found.append(d.mean() + quantile * d.std(ddof=1) / np.sqrt(look.repeats))
    return min(found)


def q_by_hand(trials, i, j, level):
    found = []
    for look, share in list(zip(LOOKS, spends(LOOKS), strict=True))[:level]:
        p = stats.ttest_rel(trials[i].test[: look.repeats, 0], trials[j].test[: look.repeats, 0]).pvalue
        found.append(p / share)
    return min(1, min(found))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("repeats", [[40] * 4, [40, 12, 7, 24]])
def test_bounds_and_pairs_by_hand(seed, repeats):
    trials = normal(seed, [0, 0.3, 0.6, 1.5])
    found = contest(trials, repeats)
    assert found.levels.tolist() == [sum(look.repeats <= r for look in LOOKS) for r in repeats]
    for i, j in itertools.permutations(range(4), 2):
        level = found.level_of(i, j)
        assert level == min(found.levels[i], found.levels[j])
        assert found.gaps[i, j] == pytest.approx(gap_by_hand(trials, i, j, level, 4))
    assert found.bounds == pytest.approx([max(0, *np.delete(found.gaps[i], i)) for i in range(4)])
    q = np.array([q_by_hand(trials, i, j, found.level_of(i, j)) for i, j in found.pairs])
    order = np.argsort(q)
    adjusted = np.minimum(np.maximum.accumulate(q[order] * np.arange(6, 0, -1)), 1)
    for (i, j), p in zip(np.array(found.pairs)[order], adjusted, strict=True):
        assert found.adjusted[i, j] == found.adjusted[j, i] == pytest.approx(p, rel=1e-9, abs=1e-11)
        assert abs(found.shown[i, j]) == (p <= LEVEL)
        assert found.shown[i, j] == -found.shown[j, i]


def test_a_pair_has_no_difference_beyond_the_lower_level():
    found = contest(normal(0, [0, 0, 0]), [40, 12, 5])
    assert np.isfinite(found.differences[:3, 0, 1]).all()
    assert np.isnan(found.differences[3:, 0, 1]).all()
    assert np.isnan(found.differences[:, 0, 2]).all()
    assert np.isinf(found.gaps[0, 2]) and np.isinf(found.bounds[[0, 1, 2]]).all()
    assert found.adjusted[0, 2] == 1 and found.shown[0, 2] == 0


@pytest.mark.parametrize("seed", range(30))
def test_what_is_shown_is_never_taken_back_and_no_bound_grows(seed):
    trials = normal(seed, [0, 0, 0.5, 1])
    before = None
    for repeats in [look.repeats for look in LOOKS]:
        found = contest(trials, [repeats] * 4)
        if before is not None:
            assert (found.gaps <= before.gaps).all()
            assert (found.bounds <= before.bounds).all()
            assert not (found.adjusted > before.adjusted).any()
            assert (np.abs(found.shown) >= np.abs(before.shown)).all()
        before = found


def test_the_direction_is_that_of_the_look_which_shows_it():
    # far ahead for six repeats, slightly behind on the average of all forty
    rng = np.random.default_rng(0)
    a = np.concatenate([5 + 0.01 * rng.standard_normal(6), -1 - rng.standard_normal(34) ** 2])
    found = contest([runs(a), runs(np.zeros(40))])
    assert found.differences[0, 0, 1] > 0 > found.differences[-1, 0, 1]
    assert found.shown.tolist() == [[0, 1], [-1, 0]]


def test_the_least_error_is_half_an_image():
    steps = np.resize([1.0, -1.0], 12) / 4
    found = contest([runs(steps), runs(steps - 0.01)], to=12, finest=1 / 200)
    assert found.errors[:, 0, 1] == pytest.approx([1 / 200 / np.sqrt(r) for r in (6, 9, 12)])
    loss = contest([runs(steps), runs(steps - 0.01)], to=12)
    assert loss.errors[:, 0, 1].tolist() == [0, 0, 0]
    assert loss.shown[0, 1] == 1 and loss.adjusted[0, 1] == 0
    assert loss.gaps.tolist() == [[0, -0.01], [0.01, 0]]


def test_identical_runs_are_level_for_certain():
    rng = np.random.default_rng(1)
    validation, test, rate = rng.random((3, 12, 6))

    def copy(scale, loss=0.0):
        return Trials(validation, loss - validation, test, "strata", scale * rate)

    found = contest([copy(1), copy(0.1), copy(1, loss=0.5)], to=12, finest=0.001)
    assert found.errors[:, 0, 1].tolist() == [0, 0, 0]
    assert found.gaps[0, 1] == found.gaps[1, 0] == 0
    assert found.adjusted[0, 1] == 1 and found.shown[0, 1] == 0
    # the same test results after other validation losses are not the same runs
    assert found.differences[-1, 0, 2] == 0
    assert (found.errors[:, 0, 2] == 0.001 / np.sqrt([6, 9, 12])).all()
    assert found.gaps[0, 2] > 0


def test_same_at_an_early_look_alone():
    a, b = np.random.default_rng(2).random((2, 12))
    b[:6] = a[:6]
    found = contest([runs(a), runs(b)], to=12, finest=0.01)
    assert found.errors[0, 0, 1] == 0
    assert (found.errors[1:, 0, 1] > 0).all()


def test_one_repeat_bounds_nothing():
    found = Contest([runs([1.0]), runs([0.0])], [1, 1], planned(1, 6), 0.01)
    assert found.differences[0, 0, 1] == 1
    assert np.isnan(found.errors[0, 0, 1])
    assert np.isinf(found.bounds).all()
    assert found.adjusted[0, 1] == 1 and not found.shown.any()


def test_a_control_restricts_the_pairs_but_no_bound():
    trials = normal(3, [0, 0.2, 0.4, 0.6])
    every, restricted = contest(trials), contest(trials, control=2)
    assert restricted.pairs == ((0, 2), (1, 2), (2, 3))
    assert (restricted.bounds == every.bounds).all()
    assert np.isnan(restricted.adjusted[0, 1]) and restricted.shown[0, 1] == 0
    smallest = min(q_by_hand(trials, i, j, 8) for i, j in restricted.pairs)
    assert np.nanmin(restricted.adjusted) == pytest.approx(3 * smallest)


def test_differences_are_rounded_so_that_no_last_bit_decides():
    found = contest([runs(0.3 + np.zeros(6)), runs(0.1 + 0.2 + np.zeros(6))], to=6)
    assert found.differences[0, 0, 1] == 0
    # one is 0.30000000000000004 in every run: the same runs after rounding
    assert found.bounds.tolist() == [0, 0]


def test_one_strategy_alone_is_the_best_of_those_listed():
    found = contest(normal(0, [0]))
    assert found.pairs == ()
    assert found.bounds.tolist() == [0]


def test_two_strategies_share_the_error_like_three():
    trials = normal(4, [0, 0, 0])
    assert contest(trials[:2]).gaps[0, 1] == pytest.approx(contest(trials).gaps[0, 1])
    four = contest([*trials, trials[0]])
    assert four.gaps[0, 1] > contest(trials).gaps[0, 1]
