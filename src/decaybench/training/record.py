"""What is recorded of a training: the curves and the results of its runs, as plain arrays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaybench.metrics import METRICS
from decaybench.training.runs import Runs
from decaybench.training.update import State

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EpochCurves:
    """One finished epoch of a stack; arrays are (K,).

    ``epoch`` counts from 1. ``alive`` marks the runs that finished the epoch; the entries of all other runs are
    meaningless. ``train_loss`` is the unregularised batch loss, averaged over the epoch's updates. ``learning_rate`` is
    that of the epoch's last update. ``validation`` holds each metric by name, losses in nats, accuracies in [0, 1].
    ``seconds`` is the wall time of the whole stack.
    """

    epoch: int
    alive: NDArray[np.bool_]
    train_loss: Floats
    validation: Mapping[str, Floats]
    learning_rate: Floats
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """How one run ended. ``validation`` and ``test`` hold each metric by name: losses in nats, accuracies in [0, 1].

    ``trace`` is float32 (updates,), the learning rate of each update made. For a diverged run, ``diverged_step`` is the
    update (from 0) at which a loss or a parameter first was not finite. Its test values are None; its validation values
    are those of its last finished epoch, or None if it finished none.

    ``updates_computed`` counts the updates computed for this run. Updates made while it was still identical to another
    run of the stack are counted for only one of them, so the sum over the runs is what the stack really computed.
    """

    outcome: Literal["finished", "diverged"]
    epochs_done: int
    trace: NDArray[np.float32]
    updates_computed: int
    validation: Mapping[str, float | None]
    test: Mapping[str, float | None]
    diverged_step: int | None


class Record:
    """The curves of K runs so far, and the test values of those that have ended."""

    def __init__(self, k: int, steps: int, device: torch.device) -> None:
        self.rates = torch.zeros(k, steps, dtype=torch.float32, device=device)  # this epoch's, of each update
        self._traces: list[NDArray[np.float32]] = []  # one (K, steps) per epoch
        self._curves: list[EpochCurves] = []
        self._tests: dict[int, dict[str, float | None]] = {}

    def epoch(self, state: State, train_loss: Tensor, validation: Mapping[str, Tensor], seconds: float) -> EpochCurves:
        """Record an epoch; ``validation`` holds each metric by name. Tensors are (K,)."""
        self._traces.append(self.rates.cpu().numpy().copy())
        curves = EpochCurves(
            len(self._curves) + 1,
            state.active.cpu().numpy().copy(),
            train_loss.cpu().numpy(),
            {name: value.cpu().numpy() for name, value in validation.items()},
            self._traces[-1][:, -1].astype(np.float64),
            seconds,
        )
        self._curves.append(curves)
        return curves

    def test(self, run: int, values: Mapping[str, float]) -> None:
        """Record the test values, by metric, of a run that has ended."""
        # A loss that overflows on the test split alone leaves the outcome as it is, which validation decided.
        self._tests[run] = {name: value if math.isfinite(value) else None for name, value in values.items()}

    def results(self, runs: Runs, diverged: Tensor) -> list[TrainingResult]:
        """The result of each run; ``diverged`` (K,) is the update at which it diverged, or -1."""
        runs.count()
        steps, updates, computed = diverged.tolist(), runs.updates.tolist(), runs.computed.tolist()
        trace = np.concatenate(self._traces, axis=1)
        return [self._result(i, steps[i], trace[i, : updates[i]], computed[i]) for i in range(len(runs))]

    def _result(self, i: int, diverged: int, trace: NDArray[np.float32], computed: int) -> TrainingResult:
        done = [curves for curves in self._curves if curves.alive[i]]
        last = done[-1].validation if done else None
        return TrainingResult(
            outcome="finished" if diverged < 0 else "diverged",
            epochs_done=len(done),
            trace=trace.copy(),
            updates_computed=computed,
            validation={name: float(last[name][i]) if last else None for name in METRICS},
            test=self._tests.get(i, dict.fromkeys(METRICS)),
            diverged_step=None if diverged < 0 else diverged,
        )
