"""Whole sweeps on trials that are already there: looked at to the end, as `decide` says, or by an adversary."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.scrambles import Array
from decaybench.compare.contest import Contest
from decaybench.compare.decision import Until, decide, default_margin
from decaybench.compare.looks import Taken, planned
from decaybench.compare.pooled import Trials

START, TO = 6, 40


class Wrong(NamedTuple):
    """What a sweep said that is not true, over all of its looks."""

    shown: bool
    bound: bool


class Played(NamedTuple):
    """How a sweep ended."""

    pick: int | None
    settled: bool
    trainings: int
    margin: float
    bounds: Array


def wrong(contest: Contest, thetas: Array) -> Wrong:
    """Bounds only fall and what is shown stays, so that the last look tells of all. True differences are ``thetas``."""
    ahead = thetas[:, None] - thetas
    shown = contest.shown * (ahead <= 1e-9) > 0  # shown better, and not better
    return Wrong(bool(shown.any()), bool((thetas.max() - thetas > contest.bounds + 1e-9).any()))


def to_the_end(trials: Sequence[Trials], finest: float, to: int) -> Contest:
    """All strategies at all looks."""
    return Contest(trials, [to] * len(trials), planned(START, to), finest)


def play(
    trials: Sequence[Trials], finest: float, until: Until, chance: float, margin: float | None = None, to: int = TO
) -> Played:
    """A sweep that stops as soon as it may, and parks what it may; the margin is the default one unless given."""
    looks, repeats = planned(START, to), [START] * len(trials)
    contest = Contest(trials, repeats, looks, finest)
    margin = default_margin(contest, 4 * finest) if margin is None else margin  # `finest` is half an image
    while True:
        decision = decide(contest, margin, until, chance)
        if decision.next is None:
            trainings = sum(r * each.n for r, each in zip(repeats, trials, strict=True))
            return Played(decision.pick, decision.settled, trainings, margin, contest.bounds)
        for member in decision.next.members:
            repeats[member] = decision.next.repeats
        contest = Contest(trials, list(repeats), looks, finest)


def extended(trials: Sequence[Trials], finest: float, tempted: Callable[[Contest], bool], last: int) -> Contest:
    """An adversary's sweep: after each look it sets `to` anew, to the very next look where it is ``tempted``.

    That look then gets four fifths of the error that is left. Otherwise it waits for more data, with `to` = ``last``.
    """
    taken = [Taken(START, 12)]
    while True:
        reached = taken[-1].repeats
        looks = planned(START, max(taken[-1].to, reached), taken)
        contest = Contest(trials, [reached] * len(trials), looks, finest)
        if reached >= last:
            return contest
        ahead = [look.repeats for look in planned(START, last, ()) if look.repeats > reached]
        to = ahead[0] if tempted(contest) else last
        taken.append(Taken(ahead[0], to))
