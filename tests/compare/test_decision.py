import numpy as np
import pytest

from compare.contests import contest, normal, runs
from decaybench.compare.contest import Contest
from decaybench.compare.decision import Step, above_chance, decide, default_margin, repeats_to_settle
from decaybench.compare.looks import planned
from decaybench.compare.pooled import Trials

CHANCE = -100.0


def level(shifts, spread=0.01, repeats=40, seed=0):
    """Strategies this far apart, whose errors are small beside any margin used here."""
    return normal(seed, shifts, repeats, spread)


def decided(trials, repeats=None, margin=0.5, until="one", chance=CHANCE, **options):
    return decide(contest(trials, repeats, **options), margin, until, chance)


def test_states_by_bound_and_by_what_is_shown():
    # at most .3 below the best: good, though shown worse; 1 below: ruled out
    found = decided(level([1, 0.7, 0]))
    assert found.states == ("good", "good", "ruled out")
    assert found.leader == found.pick == 0
    assert found.settled and found.next is None
    # six repeats with large errors: nobody is good, nobody out
    found = decided(level([0.1, 0, 0], spread=1), [6] * 3)
    assert found.states == ("open",) * 3
    assert found.pick is None and not found.settled


def test_a_bound_equal_to_the_margin_is_good():
    # constant differences have no error where a loss is compared, so that the bound is the difference
    trials = [runs(np.full(6, x)) for x in (0.3, 0.1)]
    assert decided(trials, to=6, margin=0.2).states == ("good", "good")  # .3 - .1 is not .2 in floating point
    assert decided(trials, to=6, margin=0.1999).states == ("good", "ruled out")


def test_the_leader_has_the_least_bound_among_those_not_ruled_out():
    trials = level([0, 0.2, 0.1])
    found = contest(trials)
    assert decide(found, 0.5, "one", CHANCE).leader == int(np.argmin(found.bounds)) == 1


def test_ties_for_the_lead_go_to_the_larger_estimate_then_to_file_order():
    # margins are bounds here: two that are level with each other, one of them ahead by a little at 12 repeats
    steps = np.resize([1.0, -1.0], 12)
    same = [runs(steps), runs(steps), runs(steps)]
    assert decided(same, to=12).leader == 0
    # both are bounded by 0, since they were equal for 6 repeats; then the second one is ahead
    later = steps + np.repeat([0.0, 0.1], 6)
    found = contest([runs(steps), runs(later)], to=12)
    assert found.bounds.tolist() == [0, 0]
    assert decide(found, 0.5, "one", CHANCE).leader == 1


def test_a_leader_that_is_not_shown_above_chance_is_no_pick():
    diverged = [Trials(*np.full((3, 40, 6), 0.1), "independent") for _ in range(3)]
    found = decided(diverged, [6] * 3, margin=0.01, chance=0.1)
    assert found.states == ("good",) * 3
    assert (found.leader, found.pick, found.settled) == (0, None, False)
    assert found.next == Step((0,), 9)
    assert decided(diverged, margin=0.01, chance=0.1).next is None
    assert decided(diverged, [6] * 3, margin=0.01, chance=0.1, until="all").settled


def test_above_chance_is_a_one_sided_interval():
    results = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    low = 3.5 - 2.015048 * results.std(ddof=1) / np.sqrt(6)
    found = contest([runs(results)], to=6)
    assert above_chance(found, 0, low - 1e-4)
    assert not above_chance(found, 0, low + 1e-4)
    assert not above_chance(Contest([runs([5.0])], [1], planned(1, 6)), 0, 0)


def test_the_next_step_trains_the_leader_and_who_may_be_ahead():
    # .02 apart with errors of about .1: neither can be excluded at six repeats; the third is far behind
    trials = level([0, 0.02, -5], spread=0.1)
    found = decided(trials, [6] * 3, margin=0.01)
    assert found.states[2] == "ruled out"
    assert found.next == Step((0, 1), 9)


def test_a_parked_strategy_catches_up_before_the_others_go_on():
    trials = level([0, 0.02, 0.01, -5], spread=0.1)
    assert decided(trials, [12, 12, 6, 6], margin=0.01).next == Step((2,), 9)
    assert decided(trials, [12, 12, 9, 6], margin=0.01).next == Step((2,), 12)
    assert decided(trials, [12, 12, 12, 6], margin=0.01).next == Step((0, 1, 2), 15)


def test_repeats_beyond_a_look_count_when_the_next_one_is_reached():
    trials = level([0, 0.02], spread=0.1)
    assert vars(decided(trials, [8, 6], margin=0.01)) == vars(decided(trials, [6, 6], margin=0.01))


def test_until_all_goes_on_while_anything_is_open():
    # the pick is clear, but of the two behind it is not clear whether they are within the margin
    trials = level([1, 0.5, 0.5], spread=0.3)
    one, every = decided(trials, [9] * 3), decided(trials, [9] * 3, until="all")
    assert one.settled and one.pick == 0
    assert every.pick == 0 and "open" in every.states and not every.settled
    still = {s for s in range(3) if every.states[s] == "open"}
    assert set(every.next.members) == {0, *still}  # an open one's strongest rival is the pick
    # with a leader that is further on than they are, the open ones catch up
    assert decided(trials, [12, 9, 9], until="all").next == Step(tuple(sorted(still)), 12)
    assert decided(level([1, 0.5, 0]), until="all").next is None


def test_until_all_an_open_strategys_strongest_rival_trains_too():
    # the second can only be behind the third, which is parked: both are needed
    trials = level([0, 0, 0], spread=1, seed=3)
    found = contest(trials, [12] * 3)
    step = decide(found, 0.6, "all", CHANCE)
    opened = [s for s in range(3) if step.states[s] == "open"]
    assert opened
    assert {int(found.gaps[s].argmax()) for s in opened} <= set(step.next.members)


def test_until_the_end_trains_everybody_and_is_settled_there_with_a_pick():
    trials = level([1, 0.5, 0])
    found = decided(trials, [6] * 3, until="end")
    assert found.pick == 0 and not found.settled
    assert found.next == Step((0, 1, 2), 9)
    assert decided(trials, [40, 40, 30], until="end").next == Step((2,), 40)
    found = decided(trials, until="end")
    assert found.settled and found.next is None
    found = decided(level([0, 0, 0], spread=5), until="end")
    assert found.pick is None and not found.settled and found.next is None


def test_a_sweep_without_an_answer_ends_unsettled_at_to():
    found = decided(level([0, 0, 0], spread=5))
    assert not found.settled and found.pick is None and found.next is None


def test_the_margin_is_of_the_winners_at_the_first_look():
    rng = np.random.default_rng(0)
    trials = [Trials(v, -v, t, "independent") for v, t in rng.random((3, 2, 40, 6))]
    found = contest(trials)
    own = [t.test[np.arange(6), t.validation[:6].argmax(axis=1)].std(ddof=1) for t in trials]
    assert default_margin(found, 0.0) == pytest.approx(0.95 * np.median(own))
    # later repeats do not move it
    assert default_margin(found, 0.0) == default_margin(contest(trials, [6] * 3), 0.0)
    assert default_margin(found, 0.0) == default_margin(contest(trials, [6, 40, 9]), 0.0)
    assert default_margin(found, 5.0) == 5.0


def test_the_margin_leaves_out_who_is_shown_worse_at_the_first_look():
    spread = np.resize([1.0, -1.0], 40)
    trials = [runs(0.1 * spread), runs(0.1 * spread[::-1]), runs(spread - 50)]
    found = contest(trials)
    assert default_margin(found, 0.0) == pytest.approx(0.95 * 0.1 * np.sqrt(6 / 5))


def test_the_margin_has_no_spread_with_one_repeat():
    assert default_margin(Contest([runs([0.5]), runs([0.4])], [1, 1], planned(1, 6)), 0.02) == 0.02


def test_who_is_shown_worse_by_less_than_the_margin_is_good_and_a_worse_one_is_out():
    found = decided(level([0, -0.2, -0.9]), margin=0.5)
    assert found.states == ("good", "good", "ruled out")


def test_repeats_to_settle_grow_with_what_is_lacking():
    trials = level([0, 0, 0], spread=0.5, seed=1)
    found = contest(trials, [9] * 3)
    leader = decide(found, 1.0, "one", CHANCE).leader
    easy, hard = repeats_to_settle(found, 2.0, leader), repeats_to_settle(found, 0.3, leader)
    assert easy.tolist() == [9, 9, 9]
    assert (hard >= easy).all() and hard.max() > 9 and (hard <= 40).all()
    assert hard[leader] == hard.max()


def test_repeats_to_settle_are_all_where_the_observed_difference_is_beyond_the_margin():
    # a leader by hand that is behind: no number of repeats would do
    found = contest(level([0, 1]), [6, 6])
    assert repeats_to_settle(found, 0.5, 0).tolist() == [40, 40]
