"""The parameters of a replay: those of the best configuration, but with the learning rates of another run."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decaybench.schedules.recorded import Recorded
from decaybench.sweep import RunParameters, Size


def replaying(winner: RunParameters, recorded: NDArray[np.float32], of: Size) -> RunParameters:
    """The best configuration with the learning rates ``recorded`` (updates,) in a confirm run instead of its schedule.

    A run that diverged made fewer updates: its last learning rate is held, or the base learning rate if it made none.
    ``params`` stay those of the best configuration, since they produced the learning rates.
    """
    rates = recorded.astype(np.float64)
    last = rates[-1] if len(rates) else winner.learning_rate
    held = np.full(of.total_steps - len(rates), last)
    return replace(winner, learning_rate=1.0, schedule=Recorded((*rates.tolist(), *held.tolist())))
