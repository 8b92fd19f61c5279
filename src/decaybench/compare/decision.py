"""What a look decides: which strategies are good, ruled out or open, what to take, and what is trained next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit

from decaybench.compare.contest import Contest
from decaybench.compare.pooled import DIGITS, Floats

State = Literal["good", "ruled out", "open"]
Until = Literal["one", "all", "end"]
MARGIN_OF_SPREAD: Final = 0.95
"""The default margin in standard deviations: with P = .75, about what is seen in three of four pairs of searches."""


class Step(NamedTuple):
    """What is trained next: the ``members``, up to so many ``repeats``."""

    members: tuple[int, ...]
    repeats: int


@dataclass(frozen=True, eq=False)
class Decision:
    """What follows from a contest at its looks so far, strategies by their index.

    ``leader`` has the smallest bound of those that are not ruled out, and is the ``pick`` when it is good and above
    chance. ``settled`` says that ``until`` has its answer: a pick for "one", nothing open for "all", a pick at the last
    look for the "end". ``next`` is None when it has, or when nobody who matters has a look left.
    """

    states: tuple[State, ...]
    leader: int
    pick: int | None
    settled: bool
    next: Step | None


def default_margin(contest: Contest, least: float) -> float:
    """The smallest difference that matters by default, in the metric's unit; ``least`` is its lower limit.

    .95 x the median, over the strategies that are not shown worse than another, of the standard deviation of their
    winners' own test results over the repeats of the first look. It uses that look alone, and so never moves.
    """
    first = Contest(
        contest.trials,
        [contest.looks[0].repeats] * len(contest.trials),
        contest.looks[:1],
        contest.finest,
        contest.control,
    )
    spread = []
    for strategy, trials in enumerate(first.trials):
        if not (first.shown[strategy] < 0).any():
            seen = trials.first(first.looks[0].repeats)
            found = seen.test[np.arange(seen.repeats), seen.winners]
            spread.append(found.std(ddof=1) if found.size > 1 else 0.0)
    return round(max(MARGIN_OF_SPREAD * float(np.median(spread)), least), DIGITS)


def decide(contest: Contest, margin: float, until: Until, chance: float) -> Decision:
    """The states, the leader, the pick and the next step; every strategy has passed its first look.

    ``margin`` and ``chance``, the result of guessing, are in the metric's unit, more being better.

    A strategy is *good* when its bound is within the margin, *ruled out* when it is shown worse than another and not
    good, and *open* otherwise. Next are trained the leader and all that may be ahead of it by more than the margin;
    until "all", also every open strategy and its strongest rival; until "end", everybody. Of these, the ones with the
    lowest level train up to their next look.
    """
    bounds, strategies = contest.bounds, range(len(contest.trials))
    good = bounds <= round(margin, DIGITS)
    out = (contest.shown < 0).any(axis=1) & ~good
    states: tuple[State, ...] = tuple(
        "good" if g else "ruled out" if o else "open" for g, o in zip(good, out, strict=True)
    )
    eligible = [s for s in strategies if not out[s]] or list(strategies)
    worth = [round(contest.estimate(s).value, DIGITS) for s in strategies]
    leader = min(eligible, key=lambda s: (float(bounds[s]), -worth[s], s))
    pick = leader if good[leader] and above_chance(contest, leader, chance) else None
    still_open = [s for s in strategies if states[s] == "open"]
    settled = {
        "one": pick is not None,
        "all": not still_open,
        "end": pick is not None and bool((contest.levels == len(contest.looks)).all()),
    }[until]
    wanted = {leader, *(s for s in strategies if round(contest.gaps[leader, s] - margin, DIGITS) > 0)}
    if until == "all":
        wanted |= {*still_open, *(int(contest.gaps[s].argmax()) for s in still_open)}
    if until == "end":
        wanted = set(strategies)
    return Decision(states, leader, pick, settled, None if settled else _step(contest, wanted))


def above_chance(contest: Contest, strategy: int, chance: float) -> bool:
    """Whether the strategy is shown above ``chance``: the lower end of its one-sided 95% interval is."""
    found = contest.estimate(strategy)
    degrees = found.without.size - 1
    if not degrees:
        return False
    low = found.value - float(stdtrit(degrees, 0.95)) * found.error
    return round(low - chance, DIGITS) > 0


def repeats_to_settle(contest: Contest, margin: float, leader: int) -> Floats:
    """About how many repeats (S,) each strategy needs until it cannot be ahead of the leader by more than the margin.

    As if the differences stayed and errors fell with the root of the repeats; the last look's where that is not
    enough, and what it has where nothing is lacking.
    """
    most = contest.looks[-1].repeats
    needed = np.zeros(len(contest.trials))
    for s in range(len(contest.trials)):
        level = contest.level_of(leader, s)
        had = contest.looks[level - 1].repeats
        room = margin - contest.differences[level - 1, s, leader]
        lacking = contest.gaps[leader, s] > margin
        if not lacking or s == leader:
            needed[s] = had
        elif room <= 0:
            needed[s] = most
        else:
            half = contest.gaps[leader, s] - contest.differences[level - 1, s, leader]
            needed[s] = min(most, had * (half / room) ** 2)
    needed[leader] = max(needed)
    return needed


def _step(contest: Contest, wanted: set[int]) -> Step | None:
    lowest = min(int(contest.levels[s]) for s in wanted)
    if lowest == len(contest.looks):
        return None
    members = tuple(sorted(s for s in wanted if contest.levels[s] == lowest))
    return Step(members, contest.looks[lowest].repeats)
