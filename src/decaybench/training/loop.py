"""The training loop: trains K runs as one stack, from their seeds to their curves."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaybench.data import Examples, TaskData
from decaybench.schedules import Bank
from decaybench.training.arithmetic import exact_arithmetic
from decaybench.training.checkpoint import Checkpoint, Keeper
from decaybench.training.graph import Chunks
from decaybench.training.lanes import Lanes
from decaybench.training.recipe import Recipe, Run, steps_per_epoch
from decaybench.training.record import EpochCurves, Record, TrainingResult
from decaybench.training.resume import Resumable, identity
from decaybench.training.runs import Runs
from decaybench.training.update import OneByOne, Update


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
    keeper: Keeper | None = None,
    resume: Checkpoint | None = None,
) -> list[TrainingResult]:
    """Train K runs as one stack; results are in the order of ``runs``. A run's numbers do not depend on the others.

    Runs that start identical are computed once until they differ. At most ``width`` models (default: all) go through
    the network at once; at width 1, each goes through it as the module itself would. After each epoch, ``stop`` returns
    a mask (K,) of the runs that end there, like runs of fewer epochs; ``on_epoch`` is then called if any run finished
    the epoch. Only with ``read_test``, each run is evaluated on the test split, once, at its end; a run that ``stop``
    ends is not.

    With ``captured`` (default: on a GPU) the host never waits for the device within an epoch. Updates are made in
    chunks, on a GPU as CUDA graphs if the model allows it, and every run is computed separately.

    ``keeper`` receives checkpoints, each made after an update (with ``captured``, after a chunk). A training that is
    resumed from one gives the same numbers as one that never stopped; it calls ``stop`` and ``on_epoch`` for the epochs
    that end after the checkpoint. Raises Interrupted when the keeper leaves, and CheckpointError if ``resume`` is not a
    checkpoint of this training.
    """
    captured = device.type != "cpu" if captured is None else captured
    with exact_arithmetic():
        data = data.to(device)
        steps = steps_per_epoch(len(data.train), recipe.batch_size)
        who = Runs(runs, recipe.epochs, device, shares=not captured, by_length=recipe.form.needs_length)
        base = torch.tensor([run.learning_rate for run in runs], dtype=torch.float64, device=device)
        bank = Bank([run.schedule for run in runs], base, [steps * epochs for epochs in who.epochs], steps)
        lanes = Lanes(recipe, who.founders, data, device, width or max(2, len(runs)), bank.observes)
        update = Update(who, lanes, bank, base)
        record = Record(len(runs), steps, device)
        updates = Chunks(update, record) if captured else OneByOne(update, record)
        how = captured, device.type, lanes.width == 1, read_test
        training = Resumable(identity(recipe, runs, data, *how), update, record)
        state = update.start() if resume is None else training.resumed(resume, update.start())

        for epoch in range(record.epochs, max(who.epochs)):
            record.begin()
            lanes.shuffle(epoch)
            states = updates.epoch(state, epoch * steps)
            for state in states:
                if keeper is not None:
                    training.keep(keeper, state)
            train_loss = state.loss / steps
            lanes.chain.end_epoch(lanes.carried, who.left(epoch + 1))

            held_out = lanes.evaluate(data.signal)["loss"][who.lane] if data.signal is not None else None
            state = state._replace(rules=bank.observe_epoch(state.rules, train_loss, held_out))

            validation = {name: value[who.lane] for name, value in lanes.evaluate(data.validation).items()}
            # A run whose loss overflows only on the validation split has diverged too: no infinity is ever stored.
            finite = torch.stack([value.isfinite() for value in validation.values()]).all(0)
            state = update.bury(state, state.active & ~finite, (epoch + 1) * steps - 1)
            curves = record.epoch(state.active, train_loss, validation)

            stopped = torch.from_numpy(stop(curves) if stop else np.zeros_like(curves.alive)).to(device)
            done = who.done(epoch + 1)
            if read_test:
                _test(lanes, data.test, who, state.active & done & ~stopped, record)
            state = update.end(state, done | stopped)
            if curves.alive.any():
                on_epoch(curves)
            if not state.active.any():
                break
        return record.results(who, state.diverged)


def _test(lanes: Lanes, examples: Examples, who: Runs, ended: Tensor, record: Record) -> None:
    """Evaluate the lanes of the runs in ``ended`` (K,), and no others, on the test split."""
    runs = ended.nonzero().flatten().tolist()
    needed = sorted({int(who.lane[run]) for run in runs})
    if needed:
        values = {name: value.tolist() for name, value in lanes.evaluate(examples, needed).items()}
        for run in runs:
            place = needed.index(int(who.lane[run]))
            record.test(run, {name: value[place] for name, value in values.items()})
