"""The training loop: K runs as one stack, from their seeds to their curves."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaybench import models
from decaybench.data import Examples, TaskData, batch_order, normalise
from decaybench.schedules import Bank, Observation, Schedule
from decaybench.training.curves import EpochCurves, TrainingResult
from decaybench.training.optimizers import OptimizerForm, make_optimizer
from decaybench.training.stack import Noise, Stack, cross_entropy, decays, flatten_parameters

# Fixed sizes, so that a sum's order, and with it a run's bits, never depends on K.
EVALUATION_CHUNK = 250
MICRO_BATCH = 250

Precision = Literal["fp32", "bf16", "fp64"]


@dataclass(frozen=True)
class Recipe:
    """What all runs of a stack share. ``batch_size`` "full" is batch gradient descent, one update an epoch."""

    model: str
    epochs: int
    batch_size: int | Literal["full"]
    form: OptimizerForm = field(default_factory=OptimizerForm)
    precision: Precision = "fp32"
    decay_biases: bool = True
    dropout: float = 0.0


@dataclass(frozen=True)
class Run:
    """What one run of a stack has of its own. ``schedule`` is resolved to native units."""

    seed: int
    schedule: Schedule
    learning_rate: float
    momentum: float
    weight_decay: float


def steps_per_epoch(examples: int, batch_size: int | Literal["full"]) -> int:
    """Updates an epoch; the last, partial batch is dropped."""
    return 1 if batch_size == "full" else examples // batch_size


def train(
    recipe: Recipe,
    runs: Sequence[Run],
    data: TaskData,
    *,
    device: torch.device,
    read_test: bool = False,
    on_epoch: Callable[[EpochCurves], None] = lambda _: None,
) -> list[TrainingResult]:
    """Train K runs as one stack; results in the order of ``runs``.

    A run's numbers are those it would have alone. ``on_epoch`` is called after each epoch that any run finished. The
    test split is looked at, once and at the end, only with ``read_test``.
    """
    # A lone run is padded to two: with one group, convolutions take another kernel and give other bits.
    members = list(runs) if len(runs) > 1 else [runs[0], runs[0]]
    with _one_thread():
        stack = _Training(recipe, members, data.to(device), device)
        for epoch in range(recipe.epochs):
            curves = stack.epoch(epoch)
            if curves.alive.any():
                on_epoch(_first(curves, len(runs)))
            if not stack.any_alive():
                break
        return stack.results(read_test=read_test)[: len(runs)]


@contextmanager
def _one_thread() -> Iterator[None]:
    """With two threads sums are split by size, so a run's bits would depend on K; and on a busy machine threads wait
    for each other.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _first(curves: EpochCurves, k: int) -> EpochCurves:
    return EpochCurves(
        curves.epoch,
        curves.alive[:k],
        curves.train_loss[:k],
        curves.validation_loss[:k],
        curves.validation_accuracy[:k],
        curves.learning_rate[:k],
        curves.seconds,
    )


class _Training:
    """The state of a stack between updates; everything that an epoch touches stays on the device."""

    def __init__(self, recipe: Recipe, runs: Sequence[Run], data: TaskData, device: torch.device) -> None:
        self.recipe, self.runs, self.data, self.device = recipe, runs, data, device
        self.k = len(runs)
        self.dtype = torch.float64 if recipe.precision == "fp64" else torch.float32
        compute = torch.bfloat16 if recipe.precision == "bf16" else self.dtype
        initial = {
            run.seed: models.build(recipe.model, data.shape, data.classes, run.seed, recipe.dropout) for run in runs
        }
        template = initial[runs[0].seed]
        self.stack = Stack(template, self.k, compute)
        self.noise = Noise([run.seed for run in runs])
        self.parameters = flatten_parameters([initial[run.seed] for run in runs], self.dtype).to(device)
        self.parameters.requires_grad_()
        self.optimizer = make_optimizer(
            recipe.form,
            self.parameters,
            momentum=self._per_run([run.momentum for run in runs]),
            weight_decay=self._per_run([run.weight_decay for run in runs]),
            decays=decays(template, biases=recipe.decay_biases).to(device, self.dtype),
        )
        self.steps = steps_per_epoch(len(data.train.labels), recipe.batch_size)
        total = self.steps * recipe.epochs
        self.base = torch.tensor([run.learning_rate for run in runs], dtype=torch.float64, device=device)
        self.bank = Bank([run.schedule for run in runs], self.base, total, self.steps)
        self.observed = self.bank.init()
        self.asked = self.bank.observes
        # The last update's direction, kept only for rules that ask for a product with it.
        remembered = self.k if "grad_dot_previous" in self.asked else 0
        self.previous = torch.zeros(remembered, self.parameters.shape[1], dtype=self.dtype, device=device)
        self.alive = torch.ones(self.k, dtype=torch.bool, device=device)
        self.diverged = torch.full((self.k,), -1, dtype=torch.int64, device=device)
        self.updates = torch.zeros(self.k, dtype=torch.int64, device=device)
        self.rates = torch.zeros(self.k, self.steps, dtype=torch.float32, device=device)  # this epoch's
        self.traces: list[NDArray[np.float32]] = []  # one (K, steps) an epoch
        self.curves: list[EpochCurves] = []

    def _per_run(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device)

    def any_alive(self) -> bool:
        return bool(self.alive.any())

    def epoch(self, epoch: int) -> EpochCurves:
        started = time.perf_counter()
        order = self._order(epoch)
        loss_sum = torch.zeros(self.k, dtype=torch.float64, device=self.device)
        for step in range(epoch * self.steps, (epoch + 1) * self.steps):
            loss = self._update(step, order)
            loss_sum += loss
        train_loss = loss_sum / self.steps
        held_out = self.evaluate(self.data.signal)[0] if self.data.signal is not None else None
        self.observed = self.bank.observe_epoch(self.observed, train_loss, held_out)
        validation_loss, validation_accuracy = self.evaluate(self.data.validation)
        self.traces.append(self.rates.cpu().numpy().copy())
        # A loss that overflows on the validation split only is a divergence too: no infinity is ever stored.
        self._bury(self.alive & ~validation_loss.isfinite(), (epoch + 1) * self.steps - 1)
        curves = EpochCurves(
            epoch + 1,
            self.alive.cpu().numpy(),
            train_loss.cpu().numpy(),
            validation_loss.cpu().numpy(),
            validation_accuracy.cpu().numpy(),
            self.traces[-1][:, -1].astype(np.float64),
            time.perf_counter() - started,
        )
        self.curves.append(curves)
        return curves

    def _order(self, epoch: int) -> Tensor:
        """The epoch's examples in each run's own order, (K, N); batch gradient descent sees all of them, in any
        order.
        """
        n = len(self.data.train.labels)
        if self.recipe.batch_size == "full":
            return torch.arange(n, device=self.device).expand(self.k, n)
        orders = {run.seed: batch_order(run.seed, epoch, n) for run in self.runs}
        return torch.stack([orders[run.seed] for run in self.runs]).to(self.device)

    def _update(self, step: int, order: Tensor) -> Tensor:
        """One update of every living run; returns the losses before it, (K,) float64, 0 for the dead."""
        loss, gradient = self._gradient(order, step % self.steps)
        with torch.no_grad():
            direction, products = self._direct(gradient)
        self.observed = self.bank.observe_update(self.observed, Observation(loss, products))
        rate = (self.base * self.bank.scale(self.observed, step)).to(self.dtype)
        # A learning rate that its float32 trace cannot hold counts as divergence: no infinity is ever stored.
        moving = self.alive & loss.isfinite() & rate.float().isfinite()
        rate = torch.where(moving, rate, 0.0)
        with torch.no_grad():
            self.optimizer.step(self.parameters, direction, rate)
            # The largest magnitude is NaN or infinite when any parameter is: one pass, no temporary.
            largest = torch.linalg.vector_norm(self.parameters, ord=float("inf"), dim=1)
        self.rates[:, step % self.steps] = rate
        self.updates += moving
        self._bury(self.alive & ~(moving & largest.isfinite()), step)
        return torch.where(moving, loss, 0.0)

    def _direct(self, gradient: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The update's direction (K, P), and the products of gradients that a rule of the stack asks for, (K,) each.

        Where none asks this is the optimizer's work alone. A sum over one run's own row is the same at any K.
        """
        if not self.asked:
            return self.optimizer.direct(self.parameters, gradient), {}
        own = gradient.clone()  # weight decay is added to the gradient in place
        direction = self.optimizer.direct(self.parameters, gradient)
        others = {"grad_norm_sq": own, "grad_dot_direction": direction, "grad_dot_previous": self.previous}
        products = {name: (own * others[name]).sum(1).double() for name in self.asked}
        if len(self.previous):
            self.previous.copy_(direction)
        return direction, products

    def _gradient(self, order: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """The batch's mean loss (K,) float64 and its gradient (K, P)."""
        size = order.shape[1] if self.recipe.batch_size == "full" else self.recipe.batch_size
        chosen = order[:, batch * size : (batch + 1) * size]
        chunk = MICRO_BATCH if self.recipe.batch_size == "full" else size
        loss = torch.zeros(self.k, dtype=torch.float64, device=self.device)
        self.parameters.grad = None
        for part in torch.split(chosen, chunk, dim=1):
            examples = self.data.train
            images = normalise(examples.images[part.T], self.data.mean, self.data.std, self.dtype)
            losses = cross_entropy(self.stack.forward(self.parameters, images, self.noise), examples.labels[part])
            mean = losses.sum(1) / size
            # Backward from the sum over runs gives each run its own gradient: no run's loss depends on another's
            # parameters.
            mean.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            loss += mean.detach().double()
        assert self.parameters.grad is not None
        return loss, self.parameters.grad

    def _bury(self, died: Tensor, step: int) -> None:
        """Mark runs as diverged at ``step`` and zero their numbers, so that none of their NaNs is computed with
        again.
        """
        self.diverged = torch.where(died, step, self.diverged)
        self.alive = self.alive & ~died
        # On a GPU asking whether any died would stall the queue; there the zeroing is unconditional.
        if self.device.type != "cpu" or bool(died.any()):
            with torch.no_grad():
                self.parameters.masked_fill_(died[:, None], 0.0)
                self.optimizer.forget(died)
                if len(self.previous):
                    self.previous.masked_fill_(died[:, None], 0.0)

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy of every run on a split, each (K,) float64."""
        loss = torch.zeros(self.k, dtype=torch.float64, device=self.device)
        right = torch.zeros(self.k, dtype=torch.int64, device=self.device)
        weights = self.optimizer.weights(self.parameters)
        for images, labels in zip(
            torch.split(examples.images, EVALUATION_CHUNK), torch.split(examples.labels, EVALUATION_CHUNK), strict=True
        ):
            x = normalise(images, self.data.mean, self.data.std, self.dtype)
            logits = self.stack.forward(weights, x.unsqueeze(1).expand(-1, self.k, -1, -1, -1))
            expected = labels.expand(self.k, -1)
            loss += cross_entropy(logits, expected).sum(1).double()
            right += (logits.argmax(2) == expected).sum(1)
        n = len(examples.labels)
        return loss / n, right.double() / n

    def results(self, *, read_test: bool) -> list[TrainingResult]:
        tests: list[tuple[float, float] | None] = [None] * self.k
        if read_test and self.any_alive():
            loss, accuracy = self.evaluate(self.data.test)
            self._bury(self.alive & ~loss.isfinite(), self.steps * self.recipe.epochs - 1)
            tests = list(zip(loss.tolist(), accuracy.tolist(), strict=True))
        alive, updates = self.alive.tolist(), self.updates.tolist()
        trace = np.concatenate(self.traces, axis=1)
        return [self._result(i, alive[i], trace[i, : updates[i]], tests[i]) for i in range(self.k)]

    def _result(
        self,
        i: int,
        alive: bool,
        trace: NDArray[np.float32],
        test: tuple[float, float] | None,
    ) -> TrainingResult:
        done = [curves for curves in self.curves if curves.alive[i]]
        last = done[-1] if done else None
        return TrainingResult(
            outcome="finished" if alive else "diverged",
            epochs_done=len(done),
            trace=trace.copy(),
            validation_loss=float(last.validation_loss[i]) if last else None,
            validation_accuracy=float(last.validation_accuracy[i]) if last else None,
            test_loss=test[0] if alive and test else None,
            test_accuracy=test[1] if alive and test else None,
            diverged_step=None if alive else int(self.diverged[i]),
        )
