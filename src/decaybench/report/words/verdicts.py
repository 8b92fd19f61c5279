"""The words of a verdict in each place, how it is drawn, and its reason as a sentence."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

from decaybench.compare.verdicts import (
    Identical,
    NotShown,
    Reason,
    Shown,
    SizeUnclear,
    TooFew,
    Verdict,
    Withheld,
    WithinRope,
)
from decaybench.findings.ledger import Gap, ReplayGap, UnequalLedger, UnequalTrials
from decaybench.findings.pairs import SharedSlots
from decaybench.report.words.numbers import count, exact, listed


class Said(NamedTuple):
    """The words of a verdict: the end of the sentence on the first place, the sentence on another pair (empty where no
    difference is shown), and what precedes the strategies in the sentence on replays.

    The verdict matrix draws it with ``sign`` and ``color``, never with colour alone.
    """

    first: str
    pair: str
    replayed: str
    sign: str
    color: str


SAID: Final[dict[Verdict, Said]] = {
    "better": Said(
        " and {are} better than {other}",
        "{a} is better than {b}",
        "better for",
        "\N{BLACK UP-POINTING TRIANGLE}",
        "#a9d5f2",
    ),
    "worse": Said(
        " but {are} worse than {other}",
        "{b} is better than {a}",
        "worse for",
        "\N{BLACK DOWN-POINTING TRIANGLE}",
        "#f7cd94",
    ),
    "equivalent": Said(
        " and {are} equivalent to {other}",
        "",
        "equivalent for",
        "=",
        "#bfe6d3",
    ),
    "difference shown, size unclear": Said(
        " and {are} different from {other}, but by an unclear amount",
        "{a} and {b} differ by an unclear amount",
        "different by an unclear amount for",
        "\N{NOT EQUAL TO}",
        "#ecd3e6",
    ),
    "no difference shown": Said(
        ", but the comparison with {other} is inconclusive",
        "",
        "inconclusive for",
        "?",
        "#efefef",
    ),
    "no verdict": Said("", "", "no verdict for", "\N{MIDDLE DOT}", "#ffffff"),
}


def reason(found: Reason, metric: str) -> str:
    """Why a verdict is what it is, without a full stop."""
    match found:
        case TooFew(what, n, least):
            noun = {"repeats": "repeat", "seeds": "retraining seed"}[what]
            return f"only {count(n, noun)}, but a verdict needs at least {least}"
        case Withheld(why):
            return "; ".join(map(_withheld, why))
        case Shown(p, tests, ahead, wins, repeats, rope):
            return f"{_p(p, tests)}, {_wins(ahead, wins, repeats)}, mean difference above {exact(metric, rope)}"
        case Identical():
            return "the results are identical"
        case WithinRope(rope):
            return f"the 95% interval lies within {exact(metric, rope)} of zero"
        case SizeUnclear(p, tests, beyond, often, ahead, wins, repeats, rope):
            but = [] if beyond else [f"the mean difference is not above {exact(metric, rope)}"]
            but += [] if often else [f"it was {_wins(ahead, wins, repeats, 'only ')}"]
            return f"{_p(p, tests)}, but {' and '.join(but)}"
        case NotShown(p, tests, repeats, detectable, difference, needed):
            smallest = exact(metric, detectable)
            text = f"{_p(p, tests)}; {repeats} repeats can detect a difference of {smallest} or more (power 80%)"
            if difference:
                repeats_needed = f"{needed:,}" if needed else "more than 10,000"
                text += f"; detecting the observed {exact(metric, difference)} would take {repeats_needed} repeats"
            return text


def _p(p: float, tests: int) -> str:
    words = "p < 0.001" if p < 0.001 else f"p = {p:.3g}"
    return words if tests == 1 else f"adjusted {words} (Holm, {tests} comparisons)"


def _wins(ahead: bool, wins: int, repeats: int, only: str = "") -> str:
    return f"{'ahead' if ahead else 'behind'} in {only}{wins} of {repeats} repeats"


def _withheld(why: Hashable) -> str:
    match why:
        case TooFew():
            return reason(why, "")
        case SharedSlots():
            return (
                "the strategies shared their trials, so this is a search for one good configuration, not a comparison"
            )
        case UnequalLedger(gaps):
            return f"unequal budgets ({', '.join(_at_most_three([_gap(each) for each in gaps]))})"
    raise TypeError(f"no words for {why!r}")


def _gap(gap: Gap | ReplayGap | UnequalTrials) -> str:
    match gap:
        case Gap(label, length, slots, confirm):
            return (
                f"{label}{_at(length)} has {slots.done} of {slots.planned} trials"
                f" and {confirm.done} of {confirm.planned} retraining runs"
            )
        case ReplayGap(label, length, slots, confirm, replay):
            nouns = ((slots, "trial"), (confirm, "retraining run"), (replay, "replay"))
            lacks = [f"{each.done} of {count(each.planned, noun)}" for each, noun in nouns if each.done < each.planned]
            return f"{label}{_at(length)} has {listed(lacks)}"
        case UnequalTrials(planned):
            return "the planned trials per repeat are " + " and ".join(str(each) for each in planned)


def _at(length: float | None) -> str:
    return "" if length is None else f" at length {length:g}"


def _at_most_three(gaps: Sequence[str]) -> Sequence[str]:
    """All gaps, or the first two and the number of the rest."""
    return gaps if len(gaps) <= 3 else [*gaps[:2], f"and {len(gaps) - 2} more"]
