"""What it would still cost to settle a sweep: about how many repeats and trainings, if what was observed is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from decaybench.compare import Look, repeats_to_settle
from decaybench.findings.pairs import Pair
from decaybench.findings.summary import Row, Summary

MOST: Final = 10_000
"""Repeats beyond which nothing is reckoned."""


class Outlook(NamedTuple):
    """So many more ``trainings`` in all would settle it, with up to so many ``repeats`` of a strategy.

    ``repeats`` is `MOST` where so many are not enough.
    """

    repeats: int
    trainings: int


def to_settle(summary: Summary, length: float | None = None) -> Outlook | None:
    """What settling a length would still cost; None where nothing is left to settle, or nothing is decided yet.

    Without a pick that is a pick; with one, it is every strategy that is still open: until it is shown worse than some
    other one, or to be good, whichever takes fewer repeats.
    """
    standing = summary.standing(length)
    decided, contest, margin = standing.decision, standing.contest, standing.margin
    if decided is None or contest is None or margin is None:
        return None
    endless = replace(contest, looks=(*contest.looks, Look(max(MOST, contest.looks[-1].repeats + 1), 1.0)))
    rows, had = summary.at(length), np.array(contest.repeats)
    needed = had.astype(float)
    if decided.pick is None:
        if contest.bounds[decided.leader] <= margin:  # it is good, but not above chance: more repeats settle nothing
            return None
        needed = np.maximum(needed, repeats_to_settle(endless, margin, decided.leader))
    else:
        for s in (s for s, state in enumerate(decided.states) if state == "open"):
            good = repeats_to_settle(endless, margin, s)
            # the quickest rival, not the one with the largest gap: an erratic rival's gap is wide wherever it stands
            worse, rival = min((_shown(summary, rows, s, other), other) for other in range(len(rows)) if other != s)
            if worse < good.max():
                needed[[s, rival]] = np.maximum(needed[[s, rival]], worse)
            else:
                needed = np.maximum(needed, good)
    more = np.ceil(np.round(needed - had, 6)).astype(int)
    if not more.any():
        return None
    per_repeat = summary.results.sweep.trials(rows[0].strategy.label) * len(summary.results.lengths)
    return Outlook(int(min(np.ceil(needed.max()), MOST)), int(more.sum()) * per_repeat)


def _shown(summary: Summary, rows: Sequence[Row], s: int, rival: int) -> float:
    """The repeats that would show a strategy worse than its rival; infinite where none would."""
    try:
        pair: Pair = summary.pair(rows[rival].strategy.label, rows[s].strategy.label, rows[s].length)
    except KeyError:  # only pairs with the control are tested
        return np.inf
    ahead = pair.difference is not None and pair.difference > 0
    return np.inf if not ahead or pair.repeats_needed is None else float(pair.repeats_needed)
