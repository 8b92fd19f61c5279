"""The verdict on each pair of a contest: a rule, and the numbers that it used; its words are the report's."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from decaybench.compare.contest import Contest
from decaybench.compare.looks import critical, spends
from decaybench.compare.pooled import DIGITS, p_better
from decaybench.compare.significance import LEVEL, repeats_needed

Verdict = Literal["better", "worse", "equivalent", "different, size unclear", "inconclusive", "no verdict"]
VERDICTS: Final[dict[Verdict, Verdict]] = {
    "better": "worse",
    "worse": "better",
    "equivalent": "equivalent",
    "different, size unclear": "different, size unclear",
    "inconclusive": "inconclusive",
    "no verdict": "no verdict",
}
"""Every verdict, and that of the same comparison with b first. How each is said and drawn stands in `report.words`."""

LEAST_P: Final = 0.75
"""The P(a > b) from which a strategy is better, not just different."""
LEAST: Final = {"trials": 6, "repeats": 5, "test images": 100}
"""Below any of these there are estimates, but no statements."""


class TooFew(NamedTuple):
    """There is no verdict on so few of ``what``, one of `LEAST`."""

    what: str
    found: int
    least: int


class Withheld(NamedTuple):
    """There is no verdict on any pair, for the caller's own reasons, which are data as well."""

    why: tuple[Hashable, ...]


class Shown(NamedTuple):
    """A direction is shown, is beyond the margin now, and is seen in enough pairs of searches."""

    ahead: bool
    margin: float


class SizeUnclear(NamedTuple):
    """A direction is shown, but now it is not ``beyond`` the margin, or not seen ``often`` enough."""

    ahead: bool
    beyond: bool
    often: bool
    margin: float


class Same(NamedTuple):
    """All trials of both have equal results."""


class WithinMargin(NamedTuple):
    """Both are at most ``bound`` below the best, which is within the margin."""

    bound: float
    margin: float


class Inconclusive(NamedTuple):
    """Neither is shown. About ``needed`` repeats would show the observed difference; None where none would do."""

    needed: int | None


Reason: TypeAlias = TooFew | Withheld | Shown | SizeUnclear | Same | WithinMargin | Inconclusive


class Pair(NamedTuple):
    """What is known of a against b at their last common look, in the metric's unit, positive where a is better.

    ``low`` and ``high`` are the repeated 95% interval: it holds at all looks together. ``p_adjusted`` is Holm's.
    All numbers are None before the pair's first look, and the interval with one repeat.
    """

    a: int
    b: int
    repeats: int
    difference: float | None
    error: float | None
    low: float | None
    high: float | None
    p_adjusted: float | None
    p_better: float | None
    verdict: Verdict
    reason: Reason


def mirrored(pair: Pair) -> Pair:
    """The same pair with b first."""
    negated = [None if x is None else 0.0 - x for x in (pair.difference, pair.high, pair.low)]
    reason = pair.reason
    return Pair(
        pair.b,
        pair.a,
        pair.repeats,
        negated[0],
        pair.error,
        negated[1],
        negated[2],
        pair.p_adjusted,
        None if pair.p_better is None else 1 - pair.p_better,
        VERDICTS[pair.verdict],
        reason._replace(ahead=not reason.ahead) if isinstance(reason, Shown | SizeUnclear) else reason,
    )


def too_few(contest: Contest, test_images: int) -> TooFew | None:
    """What a contest lacks for statements, if anything: trials per repeat, repeats or test images."""
    found = {
        "trials": min(trials.n for trials in contest.trials),
        "repeats": min(contest.repeats),
        "test images": test_images,
    }
    return next((TooFew(what, found[what], least) for what, least in LEAST.items() if found[what] < least), None)


def judge(contest: Contest, margin: float, withheld: Sequence[Hashable] | TooFew = ()) -> list[Pair]:
    """A verdict on each of the contest's pairs. The first rule that holds decides:

    1. *no verdict*, where they are ``withheld``, or the pair has not been looked at.
    2. *better*, *worse*: a direction is shown, and now the difference is beyond the ``margin`` and P >= .75.
    3. *different, size unclear*: a direction is shown.
    4. *equivalent*: both bounds are within the margin, or the runs are the same.
    5. *inconclusive*, with the repeats that the observed difference would need.
    """
    return [_judged(contest, i, j, round(margin, DIGITS), withheld) for i, j in contest.pairs]


def _judged(contest: Contest, i: int, j: int, margin: float, withheld: Sequence[Hashable] | TooFew) -> Pair:
    level = contest.level_of(i, j)
    if not level:
        none = withheld if isinstance(withheld, TooFew) else TooFew("repeats", 0, contest.looks[0].repeats)
        return Pair(i, j, 0, None, None, None, None, None, None, "no verdict", none)
    repeats = contest.looks[level - 1].repeats
    d, error = float(contest.differences[level - 1, i, j]), float(contest.errors[level - 1, i, j])
    a, b = contest.trials[i].first(repeats), contest.trials[j].first(repeats)
    chance = round(p_better(a, b), DIGITS)
    low, high = None, None
    if repeats > 1:
        half = float(critical(contest.looks, LEVEL)[level - 1]) * error if error else 0.0
        low, high = d - half, d + half

    def pair(verdict: Verdict, reason: Reason, p: float | None) -> Pair:
        known = None if repeats == 1 else error
        return Pair(i, j, repeats, d, known, low, high, p, chance, verdict, reason)

    if withheld:
        return pair("no verdict", withheld if isinstance(withheld, TooFew) else Withheld(tuple(withheld)), None)
    p = float(contest.adjusted[i, j])
    if direction := int(contest.shown[i, j]):
        ahead = direction > 0
        beyond = round(direction * d - margin, DIGITS) > 0
        often = (chance if ahead else 1 - chance) >= LEAST_P
        if beyond and often:
            return pair("better" if ahead else "worse", Shown(ahead, margin), p)
        return pair("different, size unclear", SizeUnclear(ahead, beyond, often, margin), p)
    if error == 0 and a.same(b):
        return pair("equivalent", Same(), p)
    if (bound := float(max(contest.bounds[i], contest.bounds[j]))) <= margin:
        return pair("equivalent", WithinMargin(bound, margin), p)
    # a look spends only a share of the error, as though there were so many more tests
    tests = math.ceil(len(contest.pairs) / spends(contest.looks)[level - 1])
    needed = repeats_needed(abs(d), error * math.sqrt(repeats), tests) if d else None
    return pair("inconclusive", Inconclusive(needed), p)
