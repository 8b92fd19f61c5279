"""The verdict on a family of paired comparisons, with its reason in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from decaybench.compare.intervals import Interval, one_dimension, p_better, paired_interval
from decaybench.compare.significance import LEVEL, detectable, holm, one_sided_p, repeats_needed

Verdict = Literal[
    "better", "worse", "equivalent", "difference shown, size unclear", "no difference shown", "no verdict"
]

LEAST_P = 0.75
"""The paired P from which a strategy is better, not just different."""
_DIGITS = 12  # a mean of differences that all are the ROPE is off in the 16th digit


class Judged(NamedTuple):
    """What is known of one comparison, in the unit of its differences, positive where a is better."""

    difference: Interval | None
    """The mean and its unadjusted 95% paired t interval; None without any repeat."""
    p_adjusted: float | None
    """One-sided p of the observed direction, Holm-adjusted; None with "no verdict"."""
    p_better: float | None
    """The paired P(a > b); None without any repeat."""
    verdict: Verdict
    reason: str
    detectable: float | None
    """With "no difference shown": the smallest difference that these repeats could have shown."""
    repeats_needed: int | None
    """With "no difference shown": repeats that the observed difference would need; None where none would do."""


def rope(metric: str, test_examples: int, given: float | None = None) -> float:
    """The smallest difference that matters (of the region of practical equivalence, its half width).

    max(0.002, 2 / ``test_examples``) of accuracy in [0, 1]; 0.01 nats of loss; ``given``, in the metric's unit,
    replaces either. Source: Kruschke 2018. Raises ValueError for another metric, fewer than one example, or a
    ``given`` that is negative or not finite.
    """
    if metric not in ("accuracy", "loss") or test_examples < 1:
        raise ValueError(f"metric must be accuracy or loss, with test examples; got {metric}, {test_examples}")
    if given is not None:
        return _checked(given)
    return max(0.002, 2 / test_examples) if metric == "accuracy" else 0.01


def judge(
    differences: Sequence[ArrayLike],
    rope: float,
    say: Callable[[float], str],
    *,
    withheld: str | None = None,
    least_repeats: int = 5,
) -> list[Judged]:
    """A verdict for each of M comparisons that are one family for Holm.

    ``differences`` are M arrays (R_i,), a repeat's mean of a minus the same repeat's of b, positive where a is
    better; ``rope`` is in their unit, and ``say`` puts a size in that unit into words ("0.6 points"). A comparison
    with fewer than ``least_repeats`` (at least 2) gets "no verdict" but still counts among Holm's M; ``withheld``
    is a reason for which none gets a verdict. The first rule that holds decides:

    1. *better*, *worse*: adjusted p < .025, the mean beyond the ROPE, and paired P of that direction >= .75.
    2. *equivalent*: the 95% interval lies inside the ROPE (a difference as large as the ROPE matters), or the
       runs are identical.
    3. *difference shown, size unclear*: adjusted p < .025.
    4. *no difference shown*, with what these repeats could have shown and what the observed difference would
       need, with power 80% in the test of Holm's first step.

    Sources: Holm 1979; Lakens 2017 (equivalence); Agarwal et al. 2021 (P). Raises ValueError for a difference
    that is not finite and a ``rope`` that is negative or not finite.
    """
    _checked(rope)
    if least_repeats < 2:
        raise ValueError(f"least_repeats must be at least 2, got {least_repeats}")
    arrays = [np.asarray(each, dtype=np.float64) for each in differences]
    if withheld is not None:
        return [_unjudged(d, withheld) for d in arrays]
    enough = [d.size >= least_repeats for d in arrays]
    adjusted = holm([one_sided_p(d) if use else 1.0 for d, use in zip(arrays, enough, strict=True)])
    return [
        _judged(one_dimension(d, "differences"), float(p), len(arrays), rope, say)
        if use
        else _unjudged(d, f"too few repeats: {d.size} of at least {least_repeats}")
        for d, p, use in zip(arrays, adjusted, enough, strict=True)
    ]


def _unjudged(d: NDArray[np.float64], reason: str) -> Judged:
    if not d.size:
        return Judged(None, None, None, "no verdict", reason, None, None)
    return Judged(paired_interval(d), None, p_better(d), "no verdict", reason, None, None)


def _judged(d: NDArray[np.float64], p: float, tests: int, rope: float, say: Callable[[float], str]) -> Judged:
    interval, share = paired_interval(d), p_better(d)
    mean, low, high = interval
    assert low is not None and high is not None  # two repeats or more
    shown = p < LEVEL
    beyond = round(abs(mean) - rope, _DIGITS) > 0
    ahead = mean > 0
    often = (share if ahead else p_better(-d)) >= LEAST_P
    p_words = _p_words(p, tests)
    wins = f"{'ahead' if ahead else 'behind'} in {int(np.sum(d > 0 if ahead else d < 0))} of {d.size} repeats"

    def verdict(of: Verdict, reason: str) -> Judged:
        return Judged(interval, p, share, of, reason, None, None)

    if shown and beyond and often:
        return verdict("better" if ahead else "worse", f"{p_words}, {wins}, and more than {say(rope)}")
    if not d.any():
        return verdict("equivalent", "identical runs")
    if round(rope - max(high, -low), _DIGITS) > 0:
        return verdict("equivalent", f"the 95% interval lies within {say(rope)} of no difference")
    if shown:
        but = [] if beyond else [f"not more than {say(rope)}"]
        but += [] if often else [f"{wins} only"]
        return verdict("difference shown, size unclear", f"{p_words}, but {' and '.join(but)}")
    spread = float(d.std(ddof=1))
    smallest, needed = detectable(spread, d.size, tests), repeats_needed(mean, spread, tests)
    reason = f"{p_words}; {d.size} repeats could have shown {say(smallest)} (with power 80%)"
    if mean != 0:
        reason += f", the observed {say(abs(mean))} would need {needed or 'more than 10,000'} repeats"
    return Judged(interval, p, share, "no difference shown", reason, smallest, needed)


def _p_words(p: float, tests: int) -> str:
    words = "p < 0.001" if p < 0.001 else f"p = {p:.3g}"
    return words if tests == 1 else f"{words} after Holm over {tests} pairs"


def _checked(rope: float) -> float:
    if not 0 <= rope < np.inf:
        raise ValueError(f"the ROPE must be finite and not negative, got {rope}")
    return float(rope)
