"""Looks: after how many repeats the evidence is judged, and how much of the error each look may spend.

Looking more than once would make a false statement likelier. So the error of 5% is spent over the looks: a sweep may
stop at any of them, or go on, and all that it said holds together. Source: Lan and DeMets 1983, with a linear
spending function.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

REPEATS: Final = (6, 9, 12, 15, 18, 24, 30, 40, 50, 60, 80, 100, 120, 160, 200)
"""Repeats after which a sweep is looked at between its first look and its last."""
SPENT_AT_THE_END: Final = 0.8
"""The share of the error that is spent by the last planned look. The rest is kept for a sweep that is extended."""


class Look(NamedTuple):
    """A look after ``repeats`` closed repeats, by which the share ``spent`` of the error has been spent."""

    repeats: int
    spent: float


class Taken(NamedTuple):
    """A look that some strategy has taken, and the ``to`` of the sweep file at the time it was first taken."""

    repeats: int
    to: int


def planned(start: int, to: int, taken: Sequence[Taken] = ()) -> tuple[Look, ...]:
    """Every look of a sweep from ``start`` repeats up to ``to``; those that were ``taken`` stand first and stay.

    Without any taken: at ``start``, at those of `REPEATS` strictly between, and at ``to``, where the share
    .8 R_k / to is spent at look k. After a change of ``to``, with k0 the highest look taken until then, the share at
    a later look is f_k0 + .8 (1 - f_k0) (R_k - R_k0) / (to - R_k0); the looks up to k0 keep theirs. Raises ValueError
    for ``to`` below ``start``, or not above the looks taken under another ``to``.
    """
    if to < start:
        raise ValueError(f"to must be at least {start}, got {to}")
    history = sorted(set(taken))
    # every `to` that was in force, with the highest look taken under it; under the last one there is more to come
    stages = [(end, max(look.repeats for look in group)) for end, group in groupby(history, lambda look: look.to)]
    stages = [*(stages[:-1] if stages and stages[-1][0] == to else stages), (to, to)]
    looks: list[Look] = []
    for end, reached in stages:
        anchor = looks[-1] if looks else Look(0, 0.0)
        if end <= anchor.repeats:
            raise ValueError(f"to must be above the {anchor.repeats} repeats that were looked at, got {end}")
        between = [r for r in REPEATS if max(start, anchor.repeats) < r < end]
        ahead = [r for r in (start, *between, end) if r > anchor.repeats]
        share = SPENT_AT_THE_END * (1 - anchor.spent) / (end - anchor.repeats)
        looks += [Look(r, anchor.spent + share * (r - anchor.repeats)) for r in dict.fromkeys(ahead) if r <= reached]
    return tuple(looks)


def passed(looks: Sequence[Look], repeats: int) -> int:
    """The level of a strategy with so many leading closed repeats: how many of the looks it has passed."""
    return sum(look.repeats <= repeats for look in looks)


def spends(looks: Sequence[Look]) -> NDArray[np.float64]:
    """The share (K,) of the error that each look spends."""
    return np.diff([look.spent for look in looks], prepend=0.0)


def critical(looks: Sequence[Look], level: float) -> NDArray[np.float64]:
    """The critical values (K,) of t at the looks, for a one-sided error of ``level`` over all of them.

    c_k = the quantile at 1 - level (f_k - f_(k-1)) of Student's t with R_k - 1 degrees of freedom; infinite with
    one repeat.
    """
    repeats = np.array([look.repeats for look in looks])
    quantile = stdtrit(np.maximum(repeats - 1, 1), 1 - level * spends(looks))
    found: NDArray[np.float64] = np.where(repeats > 1, quantile, np.inf)
    return found


def tail(t: NDArray[np.float64], repeats: int) -> NDArray[np.float64]:
    """The one-sided p (...,) of the sizes ``t`` (...,) after so many repeats: Student's, R - 1 degrees of freedom."""
    p: NDArray[np.float64] = stdtr(repeats - 1, -np.abs(t))
    return p
