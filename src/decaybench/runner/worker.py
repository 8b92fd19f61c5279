"""Training the stacks of a sweep, and writing their curves and results."""

import os
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from decaybench import store
from decaybench.errors import UserError, reason
from decaybench.findings.selection import chance_of
from decaybench.runner.checkpoints import Checkpoints, made_with
from decaybench.runner.environment import Environment, choose_device, prepare_environment
from decaybench.runner.leaving import Leaving
from decaybench.runner.pausing import Pausing
from decaybench.runner.pruning import Pruning
from decaybench.runner.replay import replaying
from decaybench.store import Claim, EpochRow, RunResult, RunRow, StaleError, Storage
from decaybench.sweep import Arm, RunParameters, Size, Sweep, Task, arms, from_params, size
from decaybench.training import (
    Checkpoint,
    CheckpointError,
    EpochCurves,
    Interrupted,
    OptimizerForm,
    Recipe,
    Run,
    TrainingResult,
    train,
)
from decaybench.training.allocator import keep_freed_memory


@dataclass(frozen=True)
class Stack:
    """The runs of a stack with their parameters and sizes, and the optimizer that they have in common."""

    runs: Sequence[RunRow]
    parameters: Sequence[RunParameters]
    form: OptimizerForm
    sizes: Sequence[Size]


class Worker:
    """Trains stacks of one sweep, ``width`` models at once. All that it needs to know of a stack is stored."""

    def __init__(
        self,
        sweep: Sweep,
        storage: Storage,
        environment: Environment,
        width: int,
        leaving: Leaving,
        name: str | None = None,
    ) -> None:
        self.name = name or worker_name()
        self._sweep, self._storage, self._environment, self._width = sweep, storage, environment, width
        self._leaving = leaving
        self._arms: dict[str, Arm] = {arm.label: arm for arm in arms(sweep)}

    @property
    def place(self) -> tuple[str, str]:
        """The database's URL and the name of the sweep: where another worker finds the same."""
        return self._storage.url, self._sweep.name

    @property
    def device(self) -> str:
        """The kind of device that it trains on."""
        return self._environment.device.type

    def train(self, claim: Claim, listen: Callable[[], None] = lambda: None) -> None:
        """Train a stack and write its results, unless another attempt at it is the current one.

        ``listen`` is called after each epoch. An exception is recorded as this attempt's end. Raises
        Interrupted if the process is asked to leave.
        """
        if store.take(self._storage, claim, self.name):
            self.train_held(claim, listen)

    def train_held(self, claim: Claim, listen: Callable[[], None] = lambda: None) -> None:
        """The same for a stack that this worker holds already."""
        try:
            with renewing(lambda: store.renew(self._storage, claim)):
                self._train(claim, listen)
        except StaleError:
            return
        except Interrupted:
            self._leaving.left()
            store.end_attempt(self._storage, claim, "left")
            raise
        except Exception as error:  # the machine's fault (memory, a driver): the stack is tried again
            store.end_attempt(self._storage, claim, "failed", reason(error))

    def _train(self, claim: Claim, listen: Callable[[], None]) -> None:
        keep_freed_memory()
        stack = self._stack(claim)
        pruning = Pruning(self._sweep, stack.runs, self._environment.chance)

        def write(curves: EpochCurves) -> None:
            store.write_epochs(self._storage, _rows(stack.runs, curves), claim)
            listen()

        def trained(resume: Checkpoint | None) -> list[TrainingResult]:
            return train(
                recipe(self._sweep.task, stack.form, max(each.epochs for each in stack.sizes)),
                [
                    Run(run.seed, own.schedule, own.learning_rate, own.momentum, own.weight_decay, each.epochs)
                    for run, own, each in zip(stack.runs, stack.parameters, stack.sizes, strict=True)
                ],
                self._environment.data,
                device=self._environment.device,
                width=store.width_of(self._storage, claim) or self._width,
                read_test=True,
                on_epoch=write,
                stop=pruning.stop,
                keeper=Checkpoints(self._storage, claim, self._environment, pruning, self._leaving),
                resume=resume,
            )

        results: list[TrainingResult] | None = None
        if (checkpoint := self._checkpoint(claim, stack)) is not None:
            pruning.done = list(checkpoint.extra)
            with suppress(CheckpointError):  # of another training
                results = trained(checkpoint)
        if results is None:
            pruning.done = [None] * len(stack.runs)
            if any(run.epochs_done for run in stack.runs):
                store.begin_anew(self._storage, claim, [run.id for run in stack.runs])
            results = trained(None)
        ended = zip(stack.runs, results, pruning.done, strict=True)
        store.finish_runs(self._storage, [_result(run, result, pruned) for run, result, pruned in ended], claim)
        store.drop_checkpoint(self._storage, claim.sweep_id, claim.stack)

    def _checkpoint(self, claim: Claim, stack: Stack) -> Checkpoint | None:
        """The checkpoint from which this attempt goes on; None if there is none that fits what is written."""
        written = max(run.epochs_done for run in stack.runs)
        saved = store.last_checkpoint(self._storage, claim.sweep_id, claim.stack)
        if saved is not None and saved.data is not None and saved.made_with == made_with(self._environment):
            with suppress(CheckpointError):
                checkpoint = Checkpoint.from_bytes(saved.data)
                if checkpoint.epochs == written:
                    return checkpoint
        return None

    def _stack(self, claim: Claim) -> Stack:
        """The runs of a stack that have no result, with the parameters that its offer has written."""
        runs = store.stack_runs(self._storage, claim)
        sizes = [size(self._sweep, len(self._environment.data.train), run.length) for run in runs]
        chosen = [from_params(self._arms[run.strategy], run.params or {}) for run in runs]
        recorded = store.traces(self._storage, [run.replay_of for run in runs if run.replay_of is not None])
        parameters = [
            own if run.replay_of is None else replaying(own, recorded[run.replay_of], of)
            for run, own, of in zip(runs, chosen, sizes, strict=True)
        ]
        return Stack(runs, parameters, self._arms[runs[0].strategy].form, sizes)


@contextmanager
def open_worker(url: str, name: str, data_root: Path | None, device: str, leaving: Leaving) -> Iterator[Worker]:
    """A worker for a sweep that has begun, with a connection of its own and one thread."""
    torch.set_num_threads(1)
    with store.open_storage(url, create=False, patience=Pausing(leaving)) as storage:
        row = store.sweep_row(storage, name)
        if row is None:
            raise UserError(f"no sweep {name!r} in {storage.where}")
        sweep, provenance = Sweep.from_mapping(row["spec"], name), row["provenance"]
        environment = prepare_environment(sweep, data_root, choose_device(device))
        yield Worker(sweep, storage, as_begun(environment, provenance), provenance["stack_size"], leaving)


def as_begun(environment: Environment, provenance: Mapping[str, Any]) -> Environment:
    """The environment of a sweep that has begun: its trials count as they did.

    An earlier version may have taken chance from other labels.
    """
    return replace(environment, chance={**environment.chance, **chance_of(provenance)})


def worker_name() -> str:
    """What a worker is called unless its user says otherwise: ``host:pid``."""
    return f"{platform.node()}:{os.getpid()}"


@contextmanager
def renewing(renew: Callable[[], None]) -> Iterator[None]:
    """Renew a lease from a thread, for as long as the block runs."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(store.RENEW_S):
            try:
                renew()
            except StaleError:
                return  # the next write will notice
            except Exception:  # locked or out of reach, which training will notice too; the lease may outlast it
                continue

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def recipe(task: Task, form: OptimizerForm, epochs: int) -> Recipe:
    """The training options of a sweep's task, for a stack with one ``form`` and at most ``epochs`` epochs."""
    return Recipe(
        model=task.model,
        epochs=epochs,
        batch_size=task.batch_size,
        form=form,
        precision=task.precision,
        decay_biases=task.decay_biases,
        dropout=task.dropout,
        clip_norm=task.clip_norm,
        augment=task.augment or (),
        label_smoothing=task.label_smoothing or 0.0,
    )


def _rows(runs: Sequence[RunRow], curves: EpochCurves) -> list[EpochRow]:
    return [
        EpochRow(
            run_id=run.id,
            epoch=curves.epoch,
            train_loss=float(curves.train_loss[i]),
            learning_rate=float(curves.learning_rate[i]),
            seconds=curves.seconds,
            **{f"validation_{metric}": float(values[i]) for metric, values in curves.validation.items()},
        )
        for i, run in enumerate(runs)
        if curves.alive[i]
    ]


def _result(run: RunRow, result: TrainingResult, pruned: str | None) -> RunResult:
    return RunResult(
        run.id,
        result.outcome,
        result.epochs_done,
        **{f"validation_{metric}": value for metric, value in result.validation.items()},
        **{f"test_{metric}": value for metric, value in result.test.items()},
        diverged_step=result.diverged_step,
        updates_computed=result.updates_computed,
        pruned=pruned,
        trace=result.trace,
    )
