"""Training one stack of a sweep, and writing its curves and results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from decaybench import store
from decaybench.runner.environment import Environment
from decaybench.runner.pruning import Pruning
from decaybench.store import EpochRow, RunResult, RunRow, Storage
from decaybench.sweep import RunParameters, Size, Task
from decaybench.training import EpochCurves, OptimizerForm, Recipe, Run, TrainingResult, train
from decaybench.training.allocator import keep_freed_memory


@dataclass(frozen=True)
class Stack:
    """The runs of a stack with their parameters and sizes, and the optimizer that they have in common."""

    runs: Sequence[RunRow]
    parameters: Sequence[RunParameters]
    form: OptimizerForm
    sizes: Sequence[Size]


def train_stack(
    storage: Storage,
    task: Task,
    stack: Stack,
    environment: Environment,
    advance: Callable[[int], None],
    *,
    pruning: Pruning,
    width: int,
) -> list[RunResult]:
    """Train a stack, ``width`` models at once, and write its epochs and results.

    Each epoch of the stack is one insert, and the results of all its runs are one transaction. ``advance`` is called
    with the number of updates made since the last call. ``pruning`` decides which runs are stopped.
    """
    keep_freed_memory()
    left = sum(size.total_steps for size in stack.sizes)

    def write(curves: EpochCurves) -> None:
        nonlocal left
        store.write_epochs(storage, _rows(stack.runs, curves))
        made = int(curves.alive.sum()) * stack.sizes[0].steps_per_epoch
        left -= made
        advance(made)

    trained = train(
        recipe(task, stack.form, max(size.epochs for size in stack.sizes)),
        [
            Run(run.seed, own.schedule, own.learning_rate, own.momentum, own.weight_decay, size.epochs)
            for run, own, size in zip(stack.runs, stack.parameters, stack.sizes, strict=True)
        ],
        environment.data,
        device=environment.device,
        width=width,
        read_test=True,
        on_epoch=write,
        stop=pruning.stop,
    )
    ended = zip(stack.runs, trained, pruning.done, strict=True)
    results = [_result(run, result, pruned) for run, result, pruned in ended]
    store.finish_runs(storage, results)
    advance(left)
    return results


def failed(run: RunRow) -> RunResult:
    """The result of a run that the machine could not finish; its curves so far stay until the next attempt."""
    return RunResult(run.id, "failed", run.epochs_done)


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
