"""What is recorded of a training: the curves and the results of its runs, as plain arrays."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from decaybench.metrics import METRICS
from decaybench.training.runs import Runs

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
        self.steps = steps  # updates per epoch
        self.made = 0  # updates of this epoch
        self.rates = torch.zeros(k, steps, dtype=torch.float32, device=device)  # the learning rates of its updates
        self._started, self._before = time.perf_counter(), 0.0  # seconds of this epoch before it was resumed
        self._traces: list[NDArray[np.float32]] = []  # one (K, steps) per epoch
        self._curves: list[EpochCurves] = []
        self._tests: dict[int, dict[str, float | None]] = {}

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self._curves)

    @property
    def seconds(self) -> float:
        """The wall time of this epoch so far."""
        return time.perf_counter() - self._started

    def begin(self) -> None:
        """Begin an epoch, or go on with the one that is resumed."""
        self._started, self._before = time.perf_counter() - self._before, 0.0

    def epoch(self, active: Tensor, train_loss: Tensor, validation: Mapping[str, Tensor]) -> EpochCurves:
        """Record the epoch that the runs in ``active`` have finished; ``validation`` holds each metric by name.

        Tensors are (K,).
        """
        self._traces.append(self.rates.cpu().numpy().copy())
        curves = EpochCurves(
            len(self._curves) + 1,
            active.cpu().numpy().copy(),
            train_loss.cpu().numpy(),
            {name: value.cpu().numpy() for name, value in validation.items()},
            self._traces[-1][:, -1].astype(np.float64),
            self.seconds,
        )
        self._curves.append(curves)
        self.made = 0
        return curves

    def test(self, run: int, values: Mapping[str, float]) -> None:
        """Record the test values, by metric, of a run that has ended."""
        # A loss that overflows on the test split alone leaves the outcome as it is, which validation decided.
        self._tests[run] = {name: value if math.isfinite(value) else None for name, value in values.items()}

    def pack(self) -> dict[str, Any]:
        """All finished epochs and test values, in tensors, numbers, lists and dicts."""
        rows = map(vars, self._curves)
        return {
            "curves": tree_map(lambda *column: torch.from_numpy(np.array(column)), *rows) if self._curves else {},
            "traces": torch.from_numpy(np.array(self._traces, dtype=np.float32).reshape(-1, *self.rates.shape)),
            "tests": dict(self._tests),
        }

    def resume(self, packed: Mapping[str, Any], epochs: int, made: int, seconds: float) -> None:
        """Go on from what `pack` returned after so many epochs, and so many updates and seconds of the next one.

        Raises ValueError if a shape is another one.
        """
        k, curves, traces = len(self.rates), packed["curves"], packed["traces"]
        shapes = {column.shape for column in tree_leaves(curves)}
        if traces.shape != (epochs, k, self.steps) or not shapes <= {(epochs,), (epochs, k)}:
            raise ValueError(f"the record must be of {epochs} epochs of {self.steps} updates and {k} runs")
        if not 0 <= made <= self.steps:
            raise ValueError(f"an epoch has {self.steps} updates, got {made}")
        self._curves = [EpochCurves(**tree_map(partial(_row, epoch), curves)) for epoch in range(epochs)]
        self._traces, self._tests = list(traces.numpy()), dict(packed["tests"])
        self.made, self._before = made, seconds

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


def _row(epoch: int, column: Tensor) -> Any:
    row = column[epoch]
    return row.numpy() if row.ndim else row.item()
