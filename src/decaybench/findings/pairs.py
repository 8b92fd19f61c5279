"""Every pair of strategies and the pair of families, with their verdicts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import (
    VERDICTS,
    Interval,
    Judged,
    NotShown,
    Reason,
    TooFew,
    Verdict,
    family_means,
    judge,
    mirrored,
    p_better_unpaired,
)
from decaybench.findings.ledger import UnequalLedger
from decaybench.findings.results import DIGITS, Results
from decaybench.metrics import METRICS

LEAST_REPEATS = 5
"""With fewer repeats, the report speaks only of selected configurations, not of strategies."""
LEAST_SEEDS = 2
"""With fewer confirm seeds, no pair gets a verdict."""
FAMILIES = ("reactive", "fixed")


class SharedSlots(NamedTuple):
    """Allocation is adaptive: the strategies shared one budget of trials, so there is no verdict on any of them."""


@dataclass(frozen=True)
class Pair:
    """The comparison of a and b at one length; ``difference`` is positive where a is better, in the metric's unit.

    ``p_adjusted`` is one-sided, in the observed direction, and adjusted by Holm over all pairs of the report (pairs of
    families separately). ``p_better`` is the paired P(a > b), ``p_better_unpaired`` the unpaired one.
    """

    a: str
    b: str
    length: float
    metric: str
    difference: Interval | None
    p_adjusted: float | None
    p_better: float | None
    p_better_unpaired: float | None
    verdict: Verdict
    reason: Reason

    @property
    def detectable(self) -> float | None:
        """The smallest difference that these repeats show with power 80%; None unless no difference is shown."""
        return self.reason.detectable if isinstance(self.reason, NotShown) else None

    @property
    def repeats_needed(self) -> int | None:
        """The number of repeats that would show the observed difference; None if one is shown, or no number would."""
        return self.reason.needed if isinstance(self.reason, NotShown) else None


class Values(NamedTuple):
    """A strategy's retrained result by repeat, (R,), in the metric's unit; NaN for a repeat without one."""

    label: str
    family: str
    length: float
    by_repeat: NDArray[np.float64]


class _Contest(NamedTuple):
    """The values of both sides by repeat, each (R,); NaN for a repeat without one."""

    a: str
    b: str
    length: float
    of_a: NDArray[np.float64]
    of_b: NDArray[np.float64]


def pairs(results: Results, values: Sequence[Values], unequal: UnequalLedger | None) -> tuple[Pair, ...]:
    """One row per length and unordered pair, in the order of the sweep file; then the length's row for the families.

    That row exists if the length has both families. Every verdict is withheld if the ledger is ``unequal``, if
    there are too few repeats or confirm seeds, or if allocation is adaptive.
    """
    single: list[_Contest] = []
    families: list[_Contest] = []
    for length in results.lengths:
        here = [each for each in values if each.length == length]
        single += [_Contest(a.label, b.label, length, a.by_repeat, b.by_repeat) for a, b in combinations(here, 2)]
        groups = [[each.by_repeat for each in here if each.family == family] for family in FAMILIES]
        if all(groups):
            reactive, fixed = (family_means(group) for group in groups)
            families.append(_Contest("family:reactive", "family:fixed", length, reactive, fixed))
    why = _withheld(results, unequal)
    judged = zip([*single, *families], [*_judge(results, single, why), *_judge(results, families, why)], strict=True)
    found = [_pair(contest, results.metric, own) for contest, own in judged]
    return tuple(sorted(found, key=lambda pair: results.lengths.index(pair.length)))


def _judge(results: Results, contests: Sequence[_Contest], why: Sequence[Hashable]) -> list[Judged]:
    """The verdicts on these comparisons, of all lengths, as one family in Holm's sense."""
    differences = [_difference(contest, results.metric) for contest in contests]
    return judge(differences, results.rope, withheld=why, least_repeats=LEAST_REPEATS)


def _withheld(results: Results, unequal: UnequalLedger | None) -> list[SharedSlots | TooFew | UnequalLedger]:
    why: list[SharedSlots | TooFew | UnequalLedger] = [SharedSlots()] if results.adaptive else []
    if results.repeats < LEAST_REPEATS:
        why.append(TooFew("repeats", results.repeats, LEAST_REPEATS))
    if results.confirm_seeds < LEAST_SEEDS:
        why.append(TooFew("seeds", results.confirm_seeds, LEAST_SEEDS))
    if unequal is not None and not results.adaptive:
        why.append(unequal)
    return why


def _difference(contest: _Contest, metric: str) -> NDArray[np.float64]:
    """The differences by repeat, positive where a is better; repeats that either side lacks are left out."""
    signed = METRICS[metric].ahead(contest.of_a, contest.of_b)
    return np.round(signed[np.isfinite(signed)], DIGITS)


def _pair(contest: _Contest, metric: str, judged: Judged) -> Pair:
    sign = METRICS[metric].sign
    a, b = (sign * np.round(of[np.isfinite(of)], DIGITS) for of in (contest.of_a, contest.of_b))
    return Pair(
        contest.a,
        contest.b,
        contest.length,
        metric,
        judged.difference,
        judged.p_adjusted,
        judged.p_better,
        p_better_unpaired(a, b) if a.size and b.size else None,
        judged.verdict,
        judged.reason,
    )


def turned(pair: Pair) -> Pair:
    """The same comparison with b first."""
    difference = pair.difference
    if difference is not None:
        low = None if difference.high is None else -difference.high
        high = None if difference.low is None else -difference.low
        difference = Interval(-difference.mean, low, high)
    return replace(
        pair,
        a=pair.b,
        b=pair.a,
        difference=difference,
        p_better=None if pair.p_better is None else 1 - pair.p_better,
        p_better_unpaired=None if pair.p_better_unpaired is None else 1 - pair.p_better_unpaired,
        verdict=VERDICTS[pair.verdict],
        reason=mirrored(pair.reason),
    )
