"""What replays show: whether reacting to the run helps, or only the learning rates that it led to."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import Interval, paired_interval
from decaybench.findings.results import DIGITS, Results
from decaybench.metrics import METRICS

LEAST_SEEDS: Final = 8
"""With fewer seeds, the differences only describe."""


class Replay(NamedTuple):
    """A reactive strategy's retrained runs compared with their replays.

    ``differences`` (c,) are in the metric's unit, one per seed, positive where reacting is better. ``interval`` is
    their mean, with its paired 95% interval from LEAST_SEEDS seeds on. ``planned`` is how many there will be.
    """

    label: str
    length: float
    differences: NDArray[np.float64]
    interval: Interval
    planned: int


def replays(results: Results) -> Replay | None:
    """The one strategy that was replayed, the best reactive one; None while no replay is done.

    A replay trains on one seed with the learning rates recorded on another.
    """
    metric, length = METRICS[results.metric], results.longest
    for strategy in results.strategies:
        rows = results.of("replay", strategy.label, length)
        reactive = {
            (run.repeat, run.slot, run.seed): value
            for run in results.of("confirm", strategy.label, length)
            if (value := run.value("test", results.metric)) is not None
        }
        differences = [
            round(metric.ahead(reactive[key], value), DIGITS)
            for run in rows
            if (value := run.value("test", results.metric)) is not None
            and (key := (run.repeat, run.slot, run.seed)) in reactive
        ]
        if differences:
            d = np.array(differences)
            known = paired_interval(d) if d.size >= LEAST_SEEDS else Interval(float(d.mean()), None, None)
            return Replay(strategy.label, length, d, known, len(rows))
    return None
