"""The verdict on a family of paired comparisons: the rule that decided, and its numbers. `report.words` phrases it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from decaybench.compare.intervals import Interval, one_dimension, p_better, paired_interval
from decaybench.compare.significance import LEVEL, detectable, holm, one_sided_p, repeats_needed
from decaybench.metrics import METRICS

Verdict = Literal[
    "better", "worse", "equivalent", "difference shown, size unclear", "no difference shown", "no verdict"
]
VERDICTS: Final[dict[Verdict, Verdict]] = {
    "better": "worse",
    "worse": "better",
    "equivalent": "equivalent",
    "difference shown, size unclear": "difference shown, size unclear",
    "no difference shown": "no difference shown",
    "no verdict": "no verdict",
}
"""Every verdict, and the verdict on the same comparison with b first. `report.words` says how each is worded and drawn.
"""

LEAST_P = 0.75
"""The least paired P(a > b) of a strategy that is better, not just different."""
_DIGITS = 12  # rounding errors: the mean of differences that all equal the ROPE is off in the 16th digit


class TooFew(NamedTuple):
    """Too few repeats or seeds (``what``) for a verdict: ``found``, fewer than ``least``."""

    what: Literal["repeats", "seeds"]
    found: int
    least: int


class Withheld(NamedTuple):
    """The caller withheld every verdict, for the reasons ``why``, which are data too."""

    why: tuple[Hashable, ...]


class Shown(NamedTuple):
    """A direction is shown, and the difference is beyond the ROPE and frequent enough.

    ``ahead`` says whether a is the better one; in ``wins`` of the ``repeats`` the better one won.
    """

    p: float
    tests: int
    ahead: bool
    wins: int
    repeats: int
    rope: float


class Identical(NamedTuple):
    """The difference is 0 in every repeat."""


class WithinRope(NamedTuple):
    """The interval lies inside the ROPE."""

    rope: float


class SizeUnclear(NamedTuple):
    """A direction is shown, but not ``beyond`` the ROPE, or not ``often`` enough; other fields as in `Shown`."""

    p: float
    tests: int
    beyond: bool
    often: bool
    ahead: bool
    wins: int
    repeats: int
    rope: float


class NotShown(NamedTuple):
    """No direction is shown. ``detectable`` is the smallest difference that these repeats show with power 80%.

    ``needed`` is the number of repeats that would show the observed ``difference`` (the mean's absolute value); None if
    no number would.
    """

    p: float
    tests: int
    repeats: int
    detectable: float
    difference: float
    needed: int | None


Reason: TypeAlias = TooFew | Withheld | Shown | Identical | WithinRope | SizeUnclear | NotShown


def mirrored(reason: Reason) -> Reason:
    """The reason of the same comparison with b first."""
    return reason._replace(ahead=not reason.ahead) if isinstance(reason, Shown | SizeUnclear) else reason


class Judged(NamedTuple):
    """What is known about one comparison, in the unit of its differences; positive where a is better."""

    difference: Interval | None
    """The mean and its unadjusted 95% paired t interval; None without repeats."""
    p_adjusted: float | None
    """The one-sided p value in the observed direction, adjusted by Holm; None for "no verdict"."""
    p_better: float | None
    """The paired P(a > b); None without repeats."""
    verdict: Verdict
    reason: Reason


def rope(metric: str, test_examples: int, given: float | None = None) -> float:
    """The smallest difference that matters: half the width of the region of practical equivalence (ROPE).

    It is max(0.002, 2 / ``test_examples``) for accuracy in [0, 1] and 0.01 nats for loss; ``given``, in the metric's
    unit, overrides it. Source: Kruschke 2018. Raises ValueError for another metric, fewer than one example, or a
    ``given`` that is negative or not finite.
    """
    if metric not in METRICS or test_examples < 1:
        raise ValueError(f"metric must be {' or '.join(METRICS)}, with test examples; got {metric}, {test_examples}")
    return METRICS[metric].margin(test_examples) if given is None else _checked(given)


def judge(
    differences: Sequence[ArrayLike],
    rope: float,
    *,
    withheld: Sequence[Hashable] = (),
    least_repeats: int = 5,
) -> list[Judged]:
    """The verdicts on M comparisons, which Holm's adjustment treats as one family.

    ``differences`` are M arrays (R_i,): for each repeat, the mean of a minus the mean of b, positive where a is better;
    ``rope`` is in the same unit. A comparison with fewer than ``least_repeats`` (at least 2) gets "no verdict" but
    still counts towards Holm's M. If there are any ``withheld`` reasons, no comparison gets a verdict. Otherwise the
    first rule that holds decides:

    1. *better*, *worse*: adjusted p < .025, the mean beyond the ROPE, and the paired P in that direction >= .75.
    2. *equivalent*: the 95% interval lies strictly inside the ROPE, or the runs are identical.
    3. *difference shown, size unclear*: adjusted p < .025.
    4. *no difference shown*: reported with the smallest difference that these repeats show, and the number of repeats
       that would show the observed difference, both with power 80% at the level of Holm's first step.

    Sources: Holm 1979; Lakens 2017 (equivalence); Agarwal et al. 2021 (P). Raises ValueError for a difference that is
    not finite, and for a ``rope`` that is negative or not finite.
    """
    _checked(rope)
    if least_repeats < 2:
        raise ValueError(f"least_repeats must be at least 2, got {least_repeats}")
    arrays = [np.asarray(each, dtype=np.float64) for each in differences]
    if withheld:
        return [_unjudged(d, Withheld(tuple(withheld))) for d in arrays]
    enough = [d.size >= least_repeats for d in arrays]
    adjusted = holm([one_sided_p(d) if use else 1.0 for d, use in zip(arrays, enough, strict=True)])
    return [
        _judged(one_dimension(d, "differences"), float(p), len(arrays), rope)
        if use
        else _unjudged(d, TooFew("repeats", d.size, least_repeats))
        for d, p, use in zip(arrays, adjusted, enough, strict=True)
    ]


def _unjudged(d: NDArray[np.float64], reason: TooFew | Withheld) -> Judged:
    if not d.size:
        return Judged(None, None, None, "no verdict", reason)
    return Judged(paired_interval(d), None, p_better(d), "no verdict", reason)


def _judged(d: NDArray[np.float64], p: float, tests: int, rope: float) -> Judged:
    interval, share = paired_interval(d), p_better(d)
    mean, low, high = interval
    assert low is not None and high is not None  # at least two repeats
    shown = p < LEVEL
    beyond = round(abs(mean) - rope, _DIGITS) > 0
    ahead = mean > 0
    often = (share if ahead else p_better(-d)) >= LEAST_P
    wins = int(np.sum(d > 0 if ahead else d < 0))

    def verdict(of: Verdict, reason: Reason) -> Judged:
        return Judged(interval, p, share, of, reason)

    if shown and beyond and often:
        return verdict("better" if ahead else "worse", Shown(p, tests, ahead, wins, d.size, rope))
    if not d.any():
        return verdict("equivalent", Identical())
    if round(rope - max(high, -low), _DIGITS) > 0:
        return verdict("equivalent", WithinRope(rope))
    if shown:
        unclear = SizeUnclear(p, tests, beyond, often, ahead, wins, d.size, rope)
        return verdict("difference shown, size unclear", unclear)
    spread = float(d.std(ddof=1))
    smallest, needed = detectable(spread, d.size, tests), repeats_needed(mean, spread, tests)
    return verdict("no difference shown", NotShown(p, tests, d.size, smallest, abs(mean), needed))


def _checked(rope: float) -> float:
    if not 0 <= rope < np.inf:
        raise ValueError(f"the ROPE must be finite and not negative, got {rope}")
    return float(rope)
