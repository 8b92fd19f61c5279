"""The pooled estimate against every search that it averages over, made one by one."""

import itertools

import numpy as np
import pytest

from decaybench.compare.pooled import Trials, independent_weights, p_better, standard_error

POOLINGS = ("strata", "independent", "winners")


def drawn(seed, repeats=3, n=3, pooling="strata", levels=None):
    """Random trials; with few ``levels`` of validation and loss there are ties of every kind."""
    rng = np.random.default_rng(seed)
    validation, loss, test, rate = rng.random((4, repeats, n))
    if levels:
        validation, loss = np.floor(validation * levels), np.floor(loss * levels)
        test = np.floor(test * 4) / 4
    return Trials(validation, loss, test, pooling, None if pooling == "independent" else rate)


def beats(trials, a, b):
    """Whether trial a, (repeat, trial), is picked rather than b: the rule in words, key by key."""
    if trials.validation[a] != trials.validation[b]:
        return trials.validation[a] > trials.validation[b]
    if trials.loss[a] != trials.loss[b]:
        return trials.loss[a] < trials.loss[b]
    return a < b  # the smaller repeat, then the smaller trial


def pick(trials, search):
    best = search[0]
    for each in search[1:]:
        best = each if beats(trials, each, best) else best
    return best


def searches(trials):
    """Every search that the estimate is the mean over, as lists of (repeat, trial)."""
    every = [[(r, i) for i in range(trials.n)] for r in range(trials.repeats)]
    if trials.pooling == "winners":
        return every
    if trials.pooling == "independent":
        return [list(each) for each in itertools.combinations(itertools.chain(*every), trials.n)]
    strata = [[sorted(repeat, key=lambda at: (trials.rate[at], at))[g] for repeat in every] for g in range(trials.n)]
    return [list(each) for each in itertools.product(*strata)]


def by_hand(trials):
    return np.mean([trials.test[pick(trials, search)] for search in searches(trials)])


def without(trials, repeat):
    arrays = [np.delete(a, repeat, axis=0) for a in (trials.validation, trials.loss, trials.test)]
    return Trials(*arrays, trials.pooling, None if trials.rate is None else np.delete(trials.rate, repeat, axis=0))


@pytest.mark.parametrize("levels", [None, 1, 2, 4])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("repeats", "n"), [(1, 3), (2, 1), (2, 5), (4, 3), (5, 2)])
def test_the_mean_over_all_searches_and_its_jackknife(pooling, repeats, n, levels):
    for seed in range(3):
        trials = drawn(seed, repeats, n, pooling, levels)
        assert trials.weights.sum() == pytest.approx(1)
        assert trials.estimate.value == pytest.approx(by_hand(trials), abs=1e-12)
        if repeats > 1:
            again = [by_hand(without(trials, r)) for r in range(repeats)]
            assert trials.estimate.without == pytest.approx(again, abs=1e-12)
            error = np.sqrt((repeats - 1) / repeats * np.sum((again - np.mean(again)) ** 2))
            assert trials.estimate.error == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_one_repeat_is_its_winner_without_an_error(pooling):
    trials = drawn(0, 1, 6, pooling)
    assert trials.estimate.value == trials.test[0, trials.validation[0].argmax()]
    assert np.isnan(trials.estimate.error)


def test_the_winners_are_those_of_each_repeat():
    trials = drawn(1, 6, 4, "strata", 2)
    assert [(r, i) for r, i in enumerate(trials.winners)] == [
        pick(trials, [(r, i) for i in range(4)]) for r in range(6)
    ]


def test_a_stratum_is_a_rank_within_its_repeat():
    # the second repeat's rates are all above the first one's, and in another order
    validation = np.array([[0.1, 0.2], [0.4, 0.3]])
    trials = Trials(validation, np.zeros((2, 2)), validation * 10, "strata", np.array([[1.0, 2.0], [9.0, 8.0]]))
    # low rates: .1 and .3, high rates: .2 and .4, so the searches are .2, .4, .3, .4
    assert trials.estimate.value == pytest.approx((2 + 4 + 3 + 4) / 4)


def test_equal_rates_are_ranked_by_trial():
    validation = np.array([[0.1, 0.2], [0.4, 0.3]])
    trials = Trials(validation, np.zeros((2, 2)), validation, "strata", np.ones((2, 2)))
    # strata {.1, .4} and {.2, .3}
    assert trials.estimate.value == pytest.approx((0.2 + 0.3 + 0.4 + 0.4) / 4)


def test_diverged_trials_at_chance_lose_to_all_that_learned_and_tie_with_each_other():
    rng = np.random.default_rng(5)
    validation, test = 0.5 + 0.4 * rng.random((2, 4, 3))
    diverged = np.array([[1, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 0]], dtype=bool)
    validation[diverged] = test[diverged] = 0.1
    loss = np.where(diverged, np.log(10), 1 - validation)
    trials = Trials(validation, loss, test, "strata", rng.random((4, 3)))
    assert trials.estimate.value == pytest.approx(by_hand(trials))
    everything = Trials(*np.full((3, 4, 3), 0.1), "independent")
    assert everything.estimate.value == pytest.approx(0.1)
    assert everything.estimate.error == pytest.approx(0, abs=1e-15)


def test_the_last_bit_of_a_validation_result_decides_nothing():
    trials = drawn(2, 3, 4, levels=2)
    noise = 1e-14 * np.random.default_rng(0).standard_normal((3, 4))
    moved = Trials(trials.validation + noise, trials.loss - noise, trials.test, "strata", trials.rate)
    assert moved.order.tolist() == trials.order.tolist()
    assert moved.same(trials)


def test_the_expected_pick_is_not_biased():
    # the best of 4 uniform numbers is 4/5 on average, in strata as well where rates say nothing of results
    rng = np.random.default_rng(0)
    values = [
        Trials(v, v, v, pooling, rng.random((5, 4))).estimate.value
        for pooling in ("strata", "independent")
        for v in rng.random((400, 5, 4))
    ]
    assert np.mean(values) == pytest.approx(0.8, abs=4 * np.std(values) / np.sqrt(len(values)))


@pytest.mark.parametrize("trials", [1, 2, 5, 7])
def test_the_weights_of_independent_draws_count_subsets(trials):
    for n in range(1, trials + 1):
        best = [max(subset) for subset in itertools.combinations(range(trials), n)]
        assert independent_weights(trials, n) == pytest.approx(np.bincount(best, minlength=trials) / len(best))


def test_many_trials_overflow_nothing():
    weights = independent_weights(100_000, 1000)
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("levels", [None, 2, 3])
def test_p_better_over_all_pairs_of_searches(levels):
    for seed in range(3):
        a, b = drawn(seed, 3, 3, "strata", levels), drawn(seed + 50, 3, 3, "independent", levels)
        mine = [a.test[pick(a, search)] for search in searches(a)]
        theirs = [b.test[pick(b, search)] for search in searches(b)]
        p = np.mean([(x > y) + (x == y) / 2 for x in mine for y in theirs])
        assert p_better(a, b) == pytest.approx(p)
        assert p_better(b, a) == pytest.approx(1 - p)
        assert p_better(a, a) == pytest.approx(0.5)


def test_the_error_of_a_mean_is_its_standard_error():
    # the jackknife of a plain mean is s / sqrt(R)
    found = np.random.default_rng(0).random(9)
    assert standard_error((found.sum() - found) / 8) == pytest.approx(found.std(ddof=1) / 3)
    assert np.isnan(standard_error(np.ones((4, 1)))).all()


def test_first_is_a_prefix_and_is_made_once():
    trials = drawn(0, 5, 3)
    assert trials.first(2) is trials.first(2)
    assert trials.first(5) is trials
    assert trials.first(2).estimate.value == pytest.approx(by_hand(without(without(without(trials, 4), 3), 2)))
    for repeats in (0, 6):
        with pytest.raises(ValueError, match="from 1 to the 5"):
            trials.first(repeats)


def test_same_runs_have_equal_results_whatever_their_rates():
    trials = drawn(0)
    assert trials.same(Trials(trials.validation, trials.loss, trials.test, "strata", trials.rate / 10))
    for changed in range(3):
        arrays = [trials.validation.copy(), trials.loss.copy(), trials.test.copy()]
        arrays[changed][1, 1] += 1e-6
        assert not trials.same(Trials(*arrays, "strata", trials.rate))
    assert not trials.same(trials.first(2))


def test_what_is_refused():
    good = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"\(R, n\)"):
        Trials(good, good, np.ones((3, 2)), "independent")
    with pytest.raises(ValueError, match=r"\(R, n\)"):
        Trials(*np.ones((3, 0, 3)), "independent")
    with pytest.raises(ValueError, match="finite"):
        Trials(good, np.full((2, 3), np.inf), good, "independent")
    with pytest.raises(ValueError, match="learning rates"):
        Trials(good, good, good, "strata")
    with pytest.raises(ValueError, match="from 1 to the 3"):
        independent_weights(3, 4)
