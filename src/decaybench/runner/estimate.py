"""How long a sweep will take here, from a short measurement with its own model, batch and stack size."""

from dataclasses import replace

from decaybench.data import Examples
from decaybench.runner.environment import STACK_SIZE, Environment
from decaybench.runner.worker import recipe
from decaybench.schedules import SCHEDULES
from decaybench.sweep import Sweep, ledger, size
from decaybench.training import EpochCurves, OptimizerForm, Run, train

MEASURED_BATCHES = 8


def estimate_seconds(sweep: Sweep, environment: Environment) -> float:
    """Seconds to train the whole sweep, from two short epochs of one full stack (the first one warms up).

    Batch gradient descent is measured on one batch of 250 examples and scaled. The start of the program, data and
    report are not in it.
    """
    task, data = sweep.task, environment.data
    full = task.batch_size == "full"
    batch = min(250, len(data.train)) if full else int(task.batch_size)
    examples = min(len(data.train), batch * (1 if full else MEASURED_BATCHES))
    part = replace(
        data,
        train=_first(data.train, examples),
        validation=_first(data.validation, 250),
        signal=None,
        test=_first(data.test, 1),
    )
    k = STACK_SIZE[environment.device.type]
    runs = [Run(i, SCHEDULES["constant"](), 1e-3, 0.9, 0.0) for i in range(k)]
    seen: list[EpochCurves] = []
    train(recipe(task, OptimizerForm(), 2), runs, part, device=environment.device, on_epoch=seen.append)
    # A forward pass costs about a third of a forward and a backward one.
    passes = examples + len(part.validation) / 3
    per_example = seen[-1].seconds / k / passes
    total = 0.0
    steps = size(sweep, len(data.train), 1.0).steps_per_epoch
    for row in ledger(sweep, steps):
        epochs = row.updates / steps
        used = len(data.train) if full else steps * batch
        total += epochs * (used + len(data.validation) / 3) * per_example
    return total


def _first(examples: Examples, n: int) -> Examples:
    return Examples(examples.images[:n], examples.labels[:n])
