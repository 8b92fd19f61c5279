"""Every pair of strategies by its labels, and the families of strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from decaybench import compare
from decaybench.compare import Inconclusive, Reason, Verdict
from decaybench.findings.results import Results
from decaybench.findings.standing import Standing
from decaybench.metrics import METRICS

FAMILIES = ("reactive", "fixed")


@dataclass(frozen=True)
class Pair:
    """a against b at one length after their common ``repeats``; numbers as in `compare.Pair`, in the metric's unit.

    ``difference`` is positive where a is better. ``low`` and ``high`` are its repeated 95% interval.
    """

    a: str
    b: str
    length: float
    metric: str
    repeats: int
    difference: float | None
    error: float | None
    low: float | None
    high: float | None
    p_adjusted: float | None
    p_better: float | None
    verdict: Verdict
    reason: Reason

    @property
    def repeats_needed(self) -> int | None:
        """The repeats that would show the observed difference; None unless it is inconclusive, or none would do."""
        return self.reason.needed if isinstance(self.reason, Inconclusive) else None


class Family(NamedTuple):
    """A family at one length: its ``members`` hold one that is at most ``bound`` below the best.

    ``mean`` is that of its members' estimates, in the metric's own unit, and only describes. The bound is None before
    there is one.
    """

    name: str
    members: tuple[str, ...]
    bound: float | None
    ruled_out: bool
    mean: float


def pairs(results: Results, standing: Standing) -> tuple[Pair, ...]:
    """The pairs of one length that are tested, a before b in the sweep file's order."""
    return tuple(_named(results, standing, pair) for pair in standing.pairs)


def turned(results: Results, standing: Standing, pair: Pair) -> Pair:
    """The same pair with b first."""
    at = {label: s for s, label in enumerate(standing.labels)}
    own = next(p for p in standing.pairs if (p.a, p.b) == (at[pair.a], at[pair.b]))
    return _named(results, standing, compare.mirrored(own))


def families(results: Results, standing: Standing) -> tuple[Family, ...]:
    """The families of which a sweep compares members, reactive first; none where it has only one of them."""
    if standing.contest is None:
        return ()
    found = []
    for name in FAMILIES:
        members = [s for s, strategy in enumerate(results.strategies) if strategy.family == name]
        if not members:
            return ()
        decided = standing.decision
        found.append(
            Family(
                name,
                tuple(standing.labels[s] for s in members),
                float(standing.contest.bounds[members].min()) if decided else None,
                all(decided.states[s] == "ruled out" for s in members) if decided else False,
                METRICS[results.metric].sign * float(np.mean([standing.estimate(s).value for s in members])),
            )
        )
    return tuple(found)


def _named(results: Results, standing: Standing, pair: compare.Pair) -> Pair:
    a, b = standing.labels[pair.a], standing.labels[pair.b]
    return Pair(a, b, standing.length, results.metric, *pair[2:])
