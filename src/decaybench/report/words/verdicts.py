"""What a verdict is called in each place, how it is drawn, and its reason as a sentence."""

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
    """A verdict's words: how the sentence of a first place goes on, what is told of another pair (nothing, where no
    difference is shown), and how the sentence of replays begins.

    ``sign`` and ``color`` are how the matrix of verdicts draws it: never by colour alone.
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
        "reacting is better than the recorded rates for",
        "\N{BLACK UP-POINTING TRIANGLE}",
        "#a9d5f2",
    ),
    "worse": Said(
        " though worse than {other}",
        "{b} is better than {a}",
        "reacting is worse than the recorded rates for",
        "\N{BLACK DOWN-POINTING TRIANGLE}",
        "#f7cd94",
    ),
    "equivalent": Said(
        ", equivalent to {other}",
        "",
        "reacting is equivalent to the recorded rates for",
        "=",
        "#bfe6d3",
    ),
    "difference shown, size unclear": Said(
        ", different from {other} by an unclear size",
        "{a} and {b} differ by an unclear size",
        "reacting differs from the recorded rates, by an unclear size, for",
        "\N{NOT EQUAL TO}",
        "#ecd3e6",
    ),
    "no difference shown": Said(
        ", but no difference from {other}, is shown",
        "",
        "no difference is shown for",
        "?",
        "#efefef",
    ),
    "no verdict": Said("", "", "no verdict is given for", "\N{MIDDLE DOT}", "#ffffff"),
}


def reason(found: Reason, metric: str) -> str:
    """Why a verdict is what it is, without a full stop."""
    match found:
        case TooFew(what, n, least):
            return f"too few {what}: {n} of at least {least}"
        case Withheld(why):
            return "; ".join(map(_withheld, why))
        case Shown(p, tests, ahead, wins, repeats, rope):
            return f"{_p(p, tests)}, {_wins(ahead, wins, repeats)}, and more than {exact(metric, rope)}"
        case Identical():
            return "identical runs"
        case WithinRope(rope):
            return f"the 95% interval lies within {exact(metric, rope)} of no difference"
        case SizeUnclear(p, tests, beyond, often, ahead, wins, repeats, rope):
            but = [] if beyond else [f"not more than {exact(metric, rope)}"]
            but += [] if often else [f"{_wins(ahead, wins, repeats)} only"]
            return f"{_p(p, tests)}, but {' and '.join(but)}"
        case NotShown(p, tests, repeats, detectable, difference, needed):
            text = f"{_p(p, tests)}; {repeats} repeats could have shown {exact(metric, detectable)} (with power 80%)"
            if difference:
                text += f", the observed {exact(metric, difference)} would need {needed or 'more than 10,000'} repeats"
            return text


def _p(p: float, tests: int) -> str:
    words = "p < 0.001" if p < 0.001 else f"p = {p:.3g}"
    return words if tests == 1 else f"{words} after Holm over {tests} pairs"


def _wins(ahead: bool, wins: int, repeats: int) -> str:
    return f"{'ahead' if ahead else 'behind'} in {wins} of {repeats} repeats"


def _withheld(why: Hashable) -> str:
    match why:
        case TooFew():
            return reason(why, "")
        case SharedSlots():
            return "a search for one good setting, not a comparison: the strategies shared their slots"
        case UnequalLedger(gaps):
            return f"an unequal ledger: {', '.join(_at_most_three([_gap(each) for each in gaps]))}"
    raise TypeError(f"no words for {why!r}")


def _gap(gap: Gap | ReplayGap | UnequalTrials) -> str:
    match gap:
        case Gap(label, length, slots, confirm):
            return (
                f"{label}{_at(length)} has {slots.done} of {slots.planned} slots"
                f" and {confirm.done} of {confirm.planned} confirm runs"
            )
        case ReplayGap(label, length, slots, confirm, replay):
            nouns = ((slots, "slot"), (confirm, "confirm run"), (replay, "replay"))
            lacks = [f"{each.done} of {count(each.planned, noun)}" for each, noun in nouns if each.done < each.planned]
            return f"{label}{_at(length)} has {listed(lacks)}"
        case UnequalTrials(planned):
            return "planned slots a repeat are " + " and ".join(str(each) for each in planned)


def _at(length: float | None) -> str:
    return "" if length is None else f" at length {length:g}"


def _at_most_three(gaps: Sequence[str]) -> Sequence[str]:
    """The gaps, of many the first two and how many there are besides."""
    return gaps if len(gaps) <= 3 else [*gaps[:2], f"and {len(gaps) - 2} gaps more"]
