"""The protocol's first version, to compare with: each repeat's winner is retrained, and paired t tests judge the means.

Every strategy's best trial of a repeat, by validation, is trained again on fresh seeds and tested there. A pair's
difference has a t interval over repeats. Holm's step-down shows directions at .025 on each side; *equivalent* is a
pair whose own 95% interval lies within the margin.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmarks.scrambles import Array
from decaybench.compare.significance import holm

CONFIRM_SEEDS = 2
LEVEL, LEAST_P = 0.025, 0.75


def interval(differences: Array) -> tuple[float, float, float]:
    """The mean of paired ``differences`` (R,) and its 95% t interval."""
    mean, repeats = float(differences.mean()), len(differences)
    half = float(stdtrit(repeats - 1, 0.975) * differences.std(ddof=1) / np.sqrt(repeats))
    return mean, mean - half, mean + half


def one_sided_p(differences: Array) -> float:
    """The p, at most .5, of the direction of the mean."""
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    if error == 0:
        return 0.0 if differences.any() else 0.5
    return float(stdtr(len(differences) - 1, -abs(float(differences.mean())) / error))


def verdicts(differences: Sequence[Array], margin: float) -> list[str]:
    """ "better", "worse", "equivalent" or "" of each of the pairs, the M differences (R,) of one family."""
    found = []
    for d, p in zip(differences, holm([one_sided_p(each) for each in differences]), strict=True):
        mean, low, high = interval(d)
        wins = float(np.mean((d * np.sign(mean) > 0) + 0.5 * (d == 0)))
        if p < LEVEL and abs(mean) > margin and wins >= LEAST_P:
            found.append("better" if mean > 0 else "worse")
        else:
            found.append("equivalent" if not d.any() or max(high, -low) < margin else "")
    return found


def answer(results: Array, margin: float) -> int | None:
    """The strategy that is better than or equivalent to each other one, the larger mean first; ``results`` (S, R)."""
    pairs = list(combinations(range(len(results)), 2))
    said = dict(zip(pairs, verdicts([np.round(results[i] - results[j], 12) for i, j in pairs], margin), strict=True))
    said |= {(j, i): {"better": "worse", "worse": "better"}.get(verdict, verdict) for (i, j), verdict in said.items()}
    for i in np.argsort(-results.mean(axis=1), kind="stable"):
        if all(said[i, j] in ("better", "equivalent") for j in range(len(results)) if j != i):
            return int(i)
    return None
