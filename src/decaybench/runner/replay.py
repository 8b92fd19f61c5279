"""A replay run's parameters: the winner's, but for its learning rates, which are another run's."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from decaybench.schedules.recorded import Recorded
from decaybench.sweep import RunParameters, Size


def replaying(winner: RunParameters, recorded: NDArray[np.float32], of: Size) -> RunParameters:
    """The winner's setting with the rates (updates made,) of a confirm run in the place of its schedule.

    A run that diverged made fewer updates: from there on its last rate is held, or the base rate if it made none.
    ``params`` stay the winner's, since these are what the rates came from.
    """
    rates = recorded.astype(np.float64)
    last = rates[-1] if len(rates) else winner.learning_rate
    held = np.full(of.total_steps - len(rates), last)
    return replace(winner, learning_rate=1.0, schedule=Recorded((*rates.tolist(), *held.tolist())))
