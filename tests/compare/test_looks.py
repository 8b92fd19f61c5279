import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from decaybench.compare.looks import REPEATS, Look, Taken, critical, passed, planned, spends, tail


def repeats(looks):
    return [look.repeats for look in looks]


def test_a_plan_looks_at_from_between_and_to():
    assert repeats(planned(6, 40)) == [6, 9, 12, 15, 18, 24, 30, 40]
    assert repeats(planned(7, 20)) == [7, 9, 12, 15, 18, 20]
    assert repeats(planned(12, 12)) == [12]
    assert repeats(planned(6, 250)) == [*REPEATS, 250]


def test_the_error_is_spent_by_repeats_and_a_fifth_is_kept():
    looks = planned(6, 40)
    assert [look.spent for look in looks] == pytest.approx([0.8 * r / 40 for r in repeats(looks)])
    assert spends(looks).sum() == pytest.approx(0.8)
    assert planned(12, 12) == (Look(12, 0.8),)


def test_an_extension_by_hand():
    # looked at 6 and 9 of 40, then 20 are wanted: from f = .18 on, .8 of the rest is spent over 11 repeats
    looks = planned(6, 20, [Taken(6, 40), Taken(9, 40)])
    assert repeats(looks) == [6, 9, 12, 15, 18, 20]
    spent = 0.8 * 9 / 40
    after = [spent + 0.8 * (1 - spent) * (r - 9) / 11 for r in (12, 15, 18, 20)]
    assert [look.spent for look in looks] == pytest.approx([0.8 * 6 / 40, spent, *after])


def test_looks_taken_keep_their_share_whatever_comes_after():
    before = planned(6, 40)
    taken = [Taken(look.repeats, 40) for look in before]
    assert planned(6, 40, taken) == before
    longer = planned(6, 100, taken)
    assert longer[: len(before)] == before
    assert repeats(longer) == [*repeats(before), 50, 60, 80, 100]
    assert longer[-1].spent == pytest.approx(0.8 + 0.8 * 0.2)


def test_a_look_at_the_old_end_stays_where_it_was_taken_alone():
    assert repeats(planned(6, 25, [Taken(6, 10), Taken(9, 10), Taken(10, 10)])) == [6, 9, 10, 12, 15, 18, 24, 25]
    # 10 was planned, but not reached before `to` changed
    assert repeats(planned(6, 25, [Taken(6, 10), Taken(9, 10)])) == [6, 9, 12, 15, 18, 24, 25]


def test_going_back_to_an_earlier_end_is_one_more_change():
    history = [Taken(6, 40), Taken(9, 60), Taken(12, 40)]
    there, back = planned(6, 60, history[:2]), planned(6, 40, history)
    assert back[:2] == there[:2]
    assert back[2].spent == pytest.approx(there[1].spent + 0.8 * (1 - there[1].spent) * 3 / 31)
    assert back[-1].repeats == 40


@pytest.mark.parametrize("to", [8, 9])
def test_an_end_that_is_passed_already_is_refused(to):
    with pytest.raises(ValueError, match="above the 9 repeats"):
        planned(6, to, [Taken(6, 40), Taken(9, 40)])


def test_an_end_before_the_start_is_refused():
    with pytest.raises(ValueError, match="at least 6"):
        planned(6, 5)


@given(st.integers(1, 20), st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12)), max_size=8))
def test_no_history_of_extensions_spends_more_than_the_whole(start, changes):
    taken: list[Taken] = []
    to = start
    for more, steps in changes:
        to = (taken[-1].repeats if taken else start) + more
        before = planned(start, to, taken)
        # some further looks are taken under this `to`
        taken += [Taken(look.repeats, to) for look in before[len(taken) :][:steps]]
        again = planned(start, to, taken)
        assert again[: len(taken)] == before[: len(taken)]
        assert repeats(again)[: len(taken)] == [look.repeats for look in taken]
        assert again[-1].repeats == to
        assert (spends(again) > 0).all()
        assert again[-1].spent < 1


@given(st.floats(1e-4, 0.2), st.integers(2, 60))
def test_the_tails_beyond_the_critical_values_add_up_to_what_is_spent(level, to):
    looks = planned(2, to)
    beyond = [stats.t.sf(c, look.repeats - 1) for c, look in zip(critical(looks, level), looks, strict=True)]
    assert sum(beyond) == pytest.approx(level * 0.8)


def test_one_repeat_has_no_critical_value():
    looks = planned(1, 6)
    assert critical(looks, 0.05)[0] == np.inf
    assert np.isfinite(critical(looks, 0.05)[1:]).all()


def test_tail_is_students_whatever_the_sign():
    t = np.array([-2.0, 0.0, 2.0, np.inf])
    assert tail(t, 9) == pytest.approx([stats.t.sf(2, 8), 0.5, stats.t.sf(2, 8), 0])


def test_a_level_is_the_looks_passed():
    looks = planned(6, 12)
    assert [passed(looks, r) for r in (0, 5, 6, 8, 9, 12, 40)] == [0, 0, 1, 1, 2, 3, 3]
