"""The results of training a stack, as plain arrays with one entry per run."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EpochCurves:
    """One finished epoch of a stack; arrays are (K,).

    ``epoch`` counts from 1. ``alive`` marks the runs that finished the epoch; the entries of all other runs are
    meaningless. ``train_loss`` is the unregularised batch loss, averaged over the epoch's updates. ``learning_rate`` is
    that of the epoch's last update. Losses are in nats, accuracies in [0, 1]. ``seconds`` is the wall time of the
    whole stack.
    """

    epoch: int
    alive: NDArray[np.bool_]
    train_loss: Floats
    validation_loss: Floats
    validation_accuracy: Floats
    learning_rate: Floats
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """How one run ended. Losses are in nats, accuracies in [0, 1].

    ``trace`` is float32 (updates,), the learning rate of each update made. For a diverged run, ``diverged_step`` is the
    update (from 0) at which a loss or a parameter first was not finite. Such a run has no test values; its validation
    values are those of its last finished epoch, or None if it finished none.

    ``updates_computed`` counts the updates computed for this run. Updates made while it was still identical to another
    run of the stack are counted for only one of them, so the sum over the runs is what the stack really computed.
    """

    outcome: Literal["finished", "diverged"]
    epochs_done: int
    trace: NDArray[np.float32]
    updates_computed: int
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    diverged_step: int | None
