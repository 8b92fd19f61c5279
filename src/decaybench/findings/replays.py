"""What replays show: whether reacting to the run helps, or only the learning rates that it led to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.compare import Judged
from decaybench.findings.ledger import unequal_replays
from decaybench.findings.pairs import SharedSlots
from decaybench.findings.results import DIGITS, Results
from decaybench.metrics import METRICS


class Replay(NamedTuple):
    """A reactive strategy compared with its replay at one length.

    ``differences`` (R,) are in the metric's unit, positive where reacting is better: the mean per repeat over the
    confirm seeds on which both were trained, NaN for a repeat without such a seed.
    """

    label: str
    length: float
    differences: NDArray[np.float64]
    judged: Judged


def replays(results: Results, length: float) -> list[Replay]:
    """Every strategy that was replayed at ``length``, in the order of the sweep file.

    A replay trains on one confirm seed (its ``seed``) with the learning rates recorded on another. As with the pairs,
    the replays of all lengths are judged as one family. There are no verdicts while any trial, confirm run or replay of
    these strategies is missing.
    """
    found = [
        (strategy.label, each)
        for each in results.lengths
        for strategy in results.strategies
        if any(run.done for run in results.of("replay", strategy.label, each))
    ]
    differences = [_differences(results, *at) for at in found]
    why = SharedSlots() if results.adaptive else unequal_replays(results)
    judged = compare.judge(
        [d[np.isfinite(d)] for d in differences], results.rope, withheld=() if why is None else (why,)
    )
    every = [Replay(*at, d, own) for at, d, own in zip(found, differences, judged, strict=True)]
    return [replay for replay in every if replay.length == length]


def _differences(results: Results, label: str, length: float) -> NDArray[np.float64]:
    """(R,): the mean per repeat, over seeds, of reactive minus replay; for a loss, replay minus reactive."""
    metric = METRICS[results.metric]
    reactive = {
        (run.repeat, run.seed): value
        for run in results.of("confirm", label, length)
        if (value := run.value("test", results.metric)) is not None
    }
    found: list[list[float]] = [[] for _ in range(results.repeats)]
    for run in results.of("replay", label, length):
        value, own = run.value("test", results.metric), reactive.get((run.repeat, run.seed))
        if value is not None and own is not None:
            found[run.repeat].append(metric.ahead(own, value))
    return np.array([round(float(np.mean(each)), DIGITS) if each else np.nan for each in found])
