"""The training loop: trains K runs as one stack, from their seeds to their curves."""

import math
import time
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaybench.data import TaskData
from decaybench.schedules import Bank, Observation
from decaybench.shared import SHARED
from decaybench.training.arithmetic import exact_arithmetic
from decaybench.training.chain import observed
from decaybench.training.curves import EpochCurves, TrainingResult
from decaybench.training.graph import Chunks, bucket
from decaybench.training.lanes import Lanes
from decaybench.training.recipe import Recipe, Run, steps_per_epoch


def train(
    recipe: Recipe,
    runs: Sequence[Run],
    data: TaskData,
    *,
    device: torch.device,
    width: int | None = None,
    read_test: bool = False,
    captured: bool | None = None,
    on_epoch: Callable[[EpochCurves], None] = lambda _: None,
    stop: Callable[[EpochCurves], NDArray[np.bool_]] | None = None,
) -> list[TrainingResult]:
    """Train K runs as one stack; results are in the order of ``runs``. A run's numbers do not depend on the others.

    Runs that start identical are computed once until they differ. At most ``width`` models (default: all) go through
    the network at once. After each epoch, ``stop`` returns a mask (K,) of the runs that end there, like runs of fewer
    epochs; ``on_epoch`` is then called if any run finished the epoch. Only with ``read_test``, each run is evaluated on
    the test split, once, at its end; a run that ``stop`` ends is not.

    With ``captured`` (default: on a GPU) the host never waits for the device within an epoch. Updates are made in
    chunks, on a GPU as CUDA graphs if the model allows it, and every run is computed separately.
    """
    captured = device.type != "cpu" if captured is None else captured
    with exact_arithmetic():
        stack = _Training(recipe, runs, data.to(device), device, width or len(runs), read_test, captured)
        for epoch in range(max(stack.epochs)):
            curves = stack.epoch(epoch)
            stack.end(epoch + 1, stop(curves) if stop else np.zeros_like(curves.alive))
            if curves.alive.any():
                on_epoch(curves)
            if not stack.going():
                break
        return stack.results()


class _Training:
    """The state of a stack between updates; everything that an update uses stays on the device.

    Tensors are over the K runs unless a comment or docstring says otherwise. Each run has a lane: its row in the
    models' parameters. Runs with the same seed and settings share a lane until their learning rates first differ.
    """

    def __init__(
        self,
        recipe: Recipe,
        runs: Sequence[Run],
        data: TaskData,
        device: torch.device,
        width: int,
        read_test: bool,
        captured: bool,
    ) -> None:
        self.recipe, self.runs, self.data, self.device, self.read_test = recipe, runs, data, device, read_test
        self.k = len(runs)
        self.epochs = [run.epochs or recipe.epochs for run in runs]
        self.steps = steps_per_epoch(len(data.train.labels), recipe.batch_size)
        self.base = torch.tensor([run.learning_rate for run in runs], dtype=torch.float64, device=device)
        self.bank = Bank([run.schedule for run in runs], self.base, [self.steps * n for n in self.epochs], self.steps)
        self.observed = self.bank.init()
        self.active = torch.ones(self.k, dtype=torch.bool, device=device)  # neither diverged nor at its end
        self.diverged = torch.full((self.k,), -1, dtype=torch.int64, device=device)
        self.updates = torch.zeros(self.k, dtype=torch.int64, device=device)
        self.computed = torch.zeros_like(self.updates)  # those made while the run represented its lane
        self.counted = torch.zeros_like(self.updates)
        self.first = torch.zeros(0, dtype=torch.int64, device=device)  # the run that represents each lane, (L,)
        self.rates = torch.zeros(self.k, self.steps, dtype=torch.float32, device=device)  # this epoch's
        self.traces: list[NDArray[np.float32]] = []  # one (K, steps) per epoch
        self.curves: list[EpochCurves] = []
        self.tests: dict[int, tuple[float | None, float]] = {}
        # To notice that runs differ, the host must read their learning rates, which would stall a GPU's queue.
        self.shares = not captured
        lane_of: dict[object, int] = {}
        first: list[Run] = []
        lane = []
        for i, run in enumerate(runs):
            alike = (run.seed, *(getattr(run, shared.name) for shared in SHARED)) if self.shares else i
            if alike not in lane_of:
                lane_of[alike] = len(first)
                first.append(run)
            lane.append(lane_of[alike])
        self.asked = self.bank.observes
        self.lanes = Lanes(recipe, first, data, device, width, self.asked)
        self.lane = torch.tensor(lane, device=device)
        self.order = torch.zeros(len(first), 0, device=device)
        self._settle()
        self.chunks = self._chunks() if captured else None

    def going(self) -> bool:
        """Whether any run is still training."""
        return bool(self.active.any())

    def epoch(self, epoch: int) -> EpochCurves:
        """Train one epoch, then evaluate on the validation split."""
        started = time.perf_counter()
        self.order = self.lanes.order(epoch)
        train_loss = self._updates(epoch * self.steps) / self.steps
        held_out = self.lanes.evaluate(self.data.signal)[0][self.lane] if self.data.signal is not None else None
        self.observed = self.bank.observe_epoch(self.observed, train_loss, held_out)
        validation_loss, validation_accuracy = (value[self.lane] for value in self.lanes.evaluate(self.data.validation))
        self.traces.append(self.rates.cpu().numpy().copy())
        # A run whose loss overflows only on the validation split has diverged too: no infinity is ever stored.
        self._bury(self.active & ~validation_loss.isfinite(), (epoch + 1) * self.steps - 1)
        curves = EpochCurves(
            epoch + 1,
            self.active.cpu().numpy().copy(),
            train_loss.cpu().numpy(),
            validation_loss.cpu().numpy(),
            validation_accuracy.cpu().numpy(),
            self.traces[-1][:, -1].astype(np.float64),
            time.perf_counter() - started,
        )
        self.curves.append(curves)
        return curves

    def _updates(self, first: int) -> Tensor:
        """Make an epoch's updates, numbered from ``first``; return the sum of each run's losses, (K,) float64."""
        if self.chunks:
            size = self.recipe.batch_size
            return self.chunks.epoch(self, self.order, self.order.shape[1] if size == "full" else size, first)
        loss_sum = torch.zeros(self.k, dtype=torch.float64, device=self.device)
        for batch in range(self.steps):
            loss, self.rates[:, batch] = self.update(self.order, batch, first + batch)
            loss_sum += loss
        return loss_sum

    def _chunks(self) -> Chunks:
        return Chunks(self, self.rates, record=self.device.type == "cuda" and self.lanes.fixed)

    def state(self) -> list[Tensor]:
        """The tensors that an update replaces with new ones; it changes all others in place."""
        return [*(tensor for group in self.observed for tensor in group), self.active, self.diverged]

    def resume(self, state: Sequence[Tensor]) -> None:
        """Continue with these tensors in place of those from ``state()``."""
        *observed, self.active, self.diverged = state
        left = iter(observed)
        self.observed = tuple(group._make(islice(left, len(group))) for group in self.observed)

    def update(self, order: Tensor, batch: int, step: int | Tensor) -> tuple[Tensor, Tensor]:
        """Make update ``step`` of each active run, with batch number ``batch`` of ``order`` (L, N).

        Returns the losses before the update, (K,) float64, and the learning rates, (K,); 0 for runs that made none.
        """
        lane_loss, gradient = self.lanes.gradient(order, batch)
        with torch.no_grad():
            own = gradient.clone() if self.asked else gradient  # the chain may overwrite the gradient
            direction = self.lanes.chain.direct(self.lanes.carried, gradient)
            products = observed(self.asked, self.lanes.carried, own, direction)
            loss = lane_loss[self.lane]
            seen = Observation(loss, {name: value[self.lane] for name, value in products.items()})
            self.observed = self.bank.observe_update(self.observed, seen)
            rate = (self.base * self.bank.scale(self.observed, step)).to(self.lanes.dtype)
            # A learning rate that overflows in the float32 trace counts as divergence: no infinity is ever stored.
            moving = self.active & loss.isfinite() & rate.float().isfinite()
            rate = torch.where(moving, rate, 0.0)
            self.updates += moving
            if self.shared:
                direction = self._part(rate, direction)
            self.lanes.chain.step(self.lanes.carried, direction, rate[self.first])
            # The largest magnitude is NaN or infinite if any parameter is; this takes one pass and no temporary tensor.
            largest = torch.linalg.vector_norm(self.lanes.carried["parameters"], ord=float("inf"), dim=1)[self.lane]
        self._bury(self.active & ~(moving & largest.isfinite()), step)
        return torch.where(moving, loss, 0.0), rate

    def _part(self, rate: Tensor, direction: Tensor) -> Tensor:
        """Give runs whose learning rate now differs from their lane's a new lane; return the directions (L', P)."""
        apart = self.active & (rate != rate[self.first][self.lane])
        if not bool(apart.any()):
            return direction
        lane, rates = self.lane.tolist(), rate.tolist()
        index, opened = list(range(len(self.lanes))), dict[tuple[int, float], int]()
        for run in apart.nonzero().flatten().tolist():
            leaves = lane[run], rates[run]
            if leaves not in opened:
                opened[leaves] = len(index)
                index.append(lane[run])
            lane[run] = opened[leaves]
        direction = direction[index]
        self._take(index, lane)
        return direction

    def _take(self, index: list[int], lane: list[int]) -> None:
        """Keep the lanes in ``index``, in this order; ``lane`` is the new lane of each run."""
        self.lanes.take(index)
        self.order = self.order[index]
        self.lane = torch.tensor(lane, device=self.device)
        self._settle()

    def _settle(self) -> None:
        """Choose the run that represents each lane, an active one if possible, and note whether runs share a lane."""
        self._count()
        lane, active = self.lane.tolist(), self.active.tolist()
        first: dict[int, int] = {}
        for run in sorted(range(self.k), key=lambda run: not active[run]):
            first.setdefault(lane[run], run)
        self.first = torch.tensor([first[place] for place in range(len(self.lanes))], device=self.device)
        living = [place for place, goes_on in zip(lane, active, strict=True) if goes_on]
        self.shared = len(set(living)) < len(living)

    def _count(self) -> None:
        """Credit the updates made since the last count to the runs that represented their lanes."""
        self.computed[self.first] += (self.updates - self.counted)[self.first]
        self.counted = self.updates.clone()

    def _bury(self, died: Tensor, step: int | Tensor) -> None:
        """Mark runs as diverged at ``step`` and zero their lanes, so that later updates do not compute with NaNs."""
        self.diverged = torch.where(died, step, self.diverged)
        self.active = self.active & ~died
        # Reading whether any run died would stall a GPU's queue, so there the lanes are always zeroed.
        if self.shares:
            if not bool(died.any()):
                return
            self._settle()
        dead = ~self.active[self.first]
        self.lanes.carried.clear(dead)

    def end(self, done: int, stopped: NDArray[np.bool_]) -> None:
        """End the runs whose last epoch was ``done`` (from 1) and those in ``stopped`` (K,); drop idle lanes."""
        stops = torch.from_numpy(stopped).to(self.device)
        ends = self.active & (torch.from_numpy(np.array(self.epochs) == done).to(self.device) | stops)
        if self.read_test:
            self._test((ends & ~stops).nonzero().flatten().tolist())
        self.active = self.active & ~ends
        lane, active = self.lane.tolist(), self.active.tolist()
        needed = {place for place, goes_on in zip(lane, active, strict=True) if goes_on}
        size = len(needed) if self.shares else bucket(len(needed))  # the rest are lanes whose runs have ended
        if needed and size < len(self.lanes):
            kept = sorted(sorted(range(len(self.lanes)), key=lambda place: place not in needed)[:size])
            place = {old: new for new, old in enumerate(kept)}
            self._take(kept, [place.get(old, 0) for old in lane])
            self.chunks = self.chunks and self._chunks()
        elif self.shares:
            self._settle()

    def _test(self, runs: list[int]) -> None:
        """Look at the test split with the lanes of these runs, which have come to their ends, and with no others."""
        lanes = sorted({int(self.lane[run]) for run in runs})
        if not lanes:
            return
        place = {lane: i for i, lane in enumerate(lanes)}
        loss, accuracy = (value.tolist() for value in self.lanes.evaluate(self.data.test, lanes))
        for run in runs:
            mine = place[int(self.lane[run])]
            # A loss that overflows on the test split alone leaves the outcome as it is, which validation decided.
            self.tests[run] = loss[mine] if math.isfinite(loss[mine]) else None, accuracy[mine]

    def results(self) -> list[TrainingResult]:
        """The result of each run."""
        self._count()
        diverged, updates = self.diverged.tolist(), self.updates.tolist()
        trace = np.concatenate(self.traces, axis=1)
        return [self._result(i, diverged[i], trace[i, : updates[i]]) for i in range(self.k)]

    def _result(self, i: int, diverged: int, trace: NDArray[np.float32]) -> TrainingResult:
        done = [curves for curves in self.curves if curves.alive[i]]
        last = done[-1] if done else None
        test = self.tests.get(i)
        return TrainingResult(
            outcome="finished" if diverged < 0 else "diverged",
            epochs_done=len(done),
            trace=trace.copy(),
            updates_computed=int(self.computed[i]),
            validation_loss=float(last.validation_loss[i]) if last else None,
            validation_accuracy=float(last.validation_accuracy[i]) if last else None,
            test_loss=test[0] if test else None,
            test_accuracy=test[1] if test else None,
            diverged_step=None if diverged < 0 else diverged,
        )
