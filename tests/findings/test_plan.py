"""What follows from looks: who is trained next, who waits, and who catches up."""

import pytest

from decaybench.compare import TooFew
from decaybench.findings import collect, join, summarise
from decaybench.findings.plan import reached, step, summary_at, wanted
from decaybench.findings.standing import planned, taken
from decaybench.report.words.answer import answer
from decaybench.sweep import Sweep
from frames_factory import looks_of, make, named, ordered, results_of, scored, stored

# Until repeat 5, "a" leads, "b" is near and varies, "c" is shown further behind a than matters.
SCORES = {
    "a": [0.95] * 6 + [0.5] * 18,
    "b": [0.90, 0.96] * 12,
    "c": [0.915] * 24,
}


def changing(until: str = "one"):
    """A sweep of three whose leader is ruled out later on; its rows hold all repeats of all strategies."""
    kinds = {"a": "constant", "b": "cosine", "c": "linear"}
    frames = make(kinds, repeats=24, diverge=0.0, rope=0.02, until=until, confirmed=False)
    return ordered(scored(frames, SCORES))


def at(looks) -> list[tuple[int, ...]]:
    return [tuple(known["repeats"] for known in look.strategies.values()) for look in looks]


def test_one_that_waits_catches_up_look_by_look_when_the_leader_changes():
    frames = changing()
    looks = stored(frames).looks
    leaders = [look.outcome["leader"] for look in looks]
    assert leaders[0] == "a" and looks[0].trained_next == {"members": ["a", "b"], "repeats": 9}
    change = leaders.index("b")
    assert set(leaders[:change]) == {"a"} and looks[change].strategies["a"]["state"] == "ruled out"
    before, *after = at(looks)[change:]
    assert before[2] == 6 and before[0] == before[1] >= 12
    # c alone is trained until it is level, over the same looks as the others; a, which is ruled out, is not.
    alone = [repeats for repeats in after if repeats[:2] == before[:2]]
    assert [c for _, _, c in alone[:2]] == [9, 12] and all(
        look.trained_next["members"] == ["c"] for look in looks[change : change + 2]
    )
    assert max(a for a, _, _ in after) == before[0]
    assert looks[-1].trained_next == {}


def test_nothing_that_is_stored_beyond_a_look_changes_it():
    frames = changing()
    kept = stored(frames)
    first = kept.looks[0]
    only = [run for run in kept.runs if run.repeat < 6]
    row = summary_at(kept.sweep, only, [], dict.fromkeys("abc", 6))
    assert looks_of(kept.sweep, only)[0] == first
    assert [round(r.bound, 12) for r in row.rows] == [known["bound"] for known in first.strategies.values()]


def test_to_the_end_everybody_is_trained():
    looks = stored(changing(until="end")).looks
    assert at(looks) == [(r,) * 3 for r in (6, 9, 12, 15, 18, 24)]
    assert looks[-1].trained_next == {}


def test_until_all_are_decided_the_open_ones_and_their_rivals_are_trained():
    looks = stored(changing(until="all")).looks
    assert "".join(look.outcome["leader"] for look in looks) == "aaaabb"
    # c only where it is the strongest rival of b, which is open: first by the repeats that both have, then as b leads
    assert [look.trained_next.get("members") for look in looks] == [*2 * [["a", "b"]], ["c"], ["a", "b"], ["c"], None]
    assert [look.outcome["settled"] for look in looks] == [False] * 5 + [True]


def test_a_step_follows_from_the_last_look_alone():
    kept = stored(changing())
    sweep = Sweep.from_mapping(kept.sweep["spec"], "s")
    assert step(sweep, []) == dict.fromkeys("abc", 6) == wanted(sweep, [])
    assert step(sweep, kept.looks[:1]) == {"a": 9, "b": 9, "c": 6}
    assert step(sweep, kept.looks) is None
    assert wanted(sweep, kept.looks) == reached(kept.looks)


def test_looks_keep_the_to_under_which_they_were_first_taken():
    kept = stored(changing())
    known = taken([look for look in kept.looks if look.step < 2])
    assert [(look.repeats, look.to) for look in known] == [(6, 24), (9, 24)]
    results = results_of(changing())
    assert [look.repeats for look in planned(results)] == [6, 9, 12, 15, 18, 24]
    assert planned(results)[-1].spent == pytest.approx(0.8)


def test_the_first_look_states_nothing_before_it_is_written():
    kept = stored(make(diverge=0.0, confirmed=False))
    unseen, seen = (summary_at(kept.sweep, kept.runs, looks) for looks in ([], kept.looks))
    assert seen.decisive.decision is not None and unseen.decisive.decision is None
    assert unseen.decisive.margin is None and {row.bound for row in unseen.rows} == {None}
    assert {pair.reason for pair in unseen.pairs} == {TooFew("repeats", 0, 6)}
    assert [row.estimates for row in unseen.rows] == [row.estimates for row in seen.rows]
    assert answer(unseen).lead == "No answer yet: the first look has not been taken yet."


def test_joined_sweeps_state_nothing_before_the_first_look_of_each():
    s = stored(named(make({"cosine": "cosine", "linear": "linear"}, diverge=0.0, confirmed=False), "s"))
    t = stored(named(make({"constant": "constant"}, diverge=0.0, confirmed=False), "t"))
    both, one = (summarise(collect(join([s, each]))) for each in (t, t._replace(looks=[])))
    assert both.decisive.decision is not None and one.decisive.decision is None
