"""When the checkpoints of a stack are made, and what they are good for."""

import math
import os
import time
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version

from decaybench import store
from decaybench.errors import UserError
from decaybench.runner.environment import Environment
from decaybench.runner.leaving import Leaving
from decaybench.runner.pruning import Pruning
from decaybench.store import Claim, Storage
from decaybench.training import Checkpoint


class Checkpoints:
    """Makes checkpoints of a stack from time to time, and when the process is asked to leave."""

    def __init__(
        self, storage: Storage, claim: Claim, environment: Environment, pruning: Pruning, leaving: Leaving
    ) -> None:
        self._storage, self._claim, self._pruning, self._leaving = storage, claim, pruning, leaving
        self._made_with, self._every = made_with(environment), checkpoint_every()
        self._next = time.monotonic() + self._every

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def leave(self) -> bool:
        return self._leaving.asked

    def save(self, checkpoint: Checkpoint) -> None:
        data = replace(checkpoint, extra=list(self._pruning.done)).to_bytes()
        with suppress(UserError):  # without space, or while the database is locked, training goes on without it
            store.save_checkpoint(self._storage, self._claim, checkpoint.epochs, self._made_with, data)
        self._next = time.monotonic() + self._every


def made_with(environment: Environment) -> str:
    """What must be the same for a checkpoint to be used: the versions that compute, and the data."""
    return f"decaybench {version('decaybench')}, torch {environment.torch_version}, data {environment.data_sha256[:16]}"


def checkpoint_every() -> float:
    """Seconds between two checkpoints of a stack, from DECAYBENCH_CHECKPOINT_S; UserError if it is not a number."""
    given = os.environ.get("DECAYBENCH_CHECKPOINT_S", "60")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise UserError(f"DECAYBENCH_CHECKPOINT_S: must be a number of seconds above 0, got {given!r}")
    return seconds
