"""The words of a verdict, how it is drawn, and its reason as a sentence."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

from decaybench.compare import (
    Inconclusive,
    Reason,
    Same,
    Shown,
    SizeUnclear,
    TooFew,
    Verdict,
    Withheld,
    WithinMargin,
)
from decaybench.findings.ledger import UnequalTrials
from decaybench.report.words.numbers import at_most, count, exact, listed, worse

GUESSED: Final = 1000
"""The most repeats that are named as what a difference would take; more are only called more."""


class Said(NamedTuple):
    """A verdict as a sentence on ``a`` and ``b``, without a full stop; empty where there is none.

    The verdict matrix draws it with ``sign`` and ``color``, never with colour alone.
    """

    pair: str
    sign: str
    color: str


SAID: Final[dict[Verdict, Said]] = {
    "better": Said("{a} is better than {b}", "\N{BLACK UP-POINTING TRIANGLE}", "#a9d5f2"),
    "worse": Said("{a} is worse than {b}", "\N{BLACK DOWN-POINTING TRIANGLE}", "#f7cd94"),
    "equivalent": Said("{a} and {b} are equivalent", "=", "#bfe6d3"),
    "different, size unclear": Said("{a} and {b} differ by an unclear amount", "\N{NOT EQUAL TO}", "#ecd3e6"),
    "inconclusive": Said("the comparison of {a} with {b} is inconclusive", "?", "#efefef"),
    "no verdict": Said("", "\N{MIDDLE DOT}", "#ffffff"),
}


def reason(found: Reason, metric: str) -> str:
    """Why a verdict is what it is, without a full stop."""
    match found:
        case TooFew():
            return lacking(found)
        case Withheld(why):
            return "; ".join(map(_withheld, why))
        case Shown(ahead, margin):
            which, better = ("ahead", "a") if ahead else ("behind", "b")
            now = f"the difference is now more than {exact(metric, margin)}"
            return f"a is shown to be {which}; {now}, and {better} wins at least three of four pairs of searches"
        case SizeUnclear(ahead, beyond, often, margin):
            which, better = ("ahead", "a") if ahead else ("behind", "b")
            but = [] if beyond else [f"the difference is now at most {exact(metric, margin)}"]
            but += [] if often else [f"{better} wins fewer than three of four pairs of searches"]
            return f"a is shown to be {which}, but {' and '.join(but)}"
        case Same():
            return "all their trials have the same results"
        case WithinMargin(bound, margin):
            far = f"at most {at_most(metric, bound, margin)} {worse(metric)} the best"
            return f"both are {far}, which is within the margin of {exact(metric, margin)}"
        case Inconclusive(needed):
            if needed is None:
                return "no direction is shown"
            repeats = f"about {needed:,}" if needed <= GUESSED else f"more than {GUESSED:,}"
            return f"no direction is shown; showing the observed difference would take {repeats} repeats"


def lacking(found: TooFew) -> str:
    """What there is too little of for a statement."""
    if found.what == "repeats" and not found.found:
        return f"not looked at yet; the first look is after {count(found.least, 'repeat')}"
    number = count(found.found, found.what.removesuffix("s")) + (" per repeat" if found.what == "trials" else "")
    return f"only {number}, and a statement needs at least {found.least}"


def _withheld(why: Hashable) -> str:
    match why:
        case UnequalTrials(planned):
            return f"the strategies have different numbers of trials per repeat ({listed([str(n) for n in planned])})"
    raise TypeError(f"no words for {why!r}")
