"""What a training leaves behind, as plain arrays: one entry per run of the stack."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EpochCurves:
    """One finished epoch of a stack; arrays are (K,).

    ``alive`` marks the runs that finished the epoch: only these have values, the others' entries mean nothing.
    ``train_loss`` is the mean over the epoch's updates of the unregularised batch loss; ``learning_rate`` the epoch's
    last; ``seconds`` the wall time of the whole stack.
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
    """How one run ended. ``trace`` is float32, one learning rate per update made; losses in nats, accuracies in [0, 1].

    A diverged run has ``diverged_step``, the update (from 0) at which a loss or a parameter first was not finite, and
    no test values; its validation values are those of its last finished epoch, if it finished one. ``updates_computed``
    are those of its updates that were not computed for another run of the stack with which it was still one.
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
