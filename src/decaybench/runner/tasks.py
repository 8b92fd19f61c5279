"""The functions that clusters call on their workers: each has plain arguments, and finds the database by itself.

A cluster's scheduler keeps what it is given and shows it to others, so no URL, which may hold a password, goes there.
"""

import os
import threading
from contextlib import suppress
from functools import cache

from decaybench import store
from decaybench.errors import UserError
from decaybench.paths import expanded
from decaybench.runner.elsewhere import Workers
from decaybench.runner.leaving import LEAVE, Leaving
from decaybench.runner.worker import Worker
from decaybench.store import Claim
from decaybench.training import Interrupted

_LEAVING = Leaving(LEAVE)
# A worker of Dask may have several threads, but training sets modes of torch that hold for the whole process.
_ONE = threading.Lock()


def train_stack(sweep: str, stack: int, attempt: int) -> None:
    """Train a stack and write its results, unless another attempt at it is the current one.

    A cluster may call this again for a worker that it has lost. Raises UserError if this worker cannot train the sweep.
    """
    with _LEAVING, _ONE, suppress(Interrupted):  # which has written the attempt's end
        _worker(sweep).train(Claim(store.sweep_id(sweep), stack, attempt))


def measure_sweep(sweep: str) -> None:
    """Measure the sweep and write its provenance, unless another worker has. Raises UserError as `train_stack` does."""
    with _LEAVING, _ONE:
        _worker(sweep)


def _worker(sweep: str) -> Worker:
    if not (url := os.environ.get("DECAYBENCH_STORAGE")):
        raise UserError("a worker lacks DECAYBENCH_STORAGE in its environment: set it to the database's URL")
    data = os.environ.get("DECAYBENCH_DATA")
    storage, workers = _opened(url, data)
    row = store.sweep_row(storage, sweep)
    if row is None:
        raise UserError(f"no sweep {sweep!r} in {storage.where}, which DECAYBENCH_STORAGE of a worker names")
    return workers.of(row)


@cache
def _opened(url: str, data: str | None) -> tuple[store.Storage, Workers]:
    storage = store.open_storage(url, create=False)
    return storage, Workers(storage, expanded(data, "DECAYBENCH_DATA") if data else None, "auto", _LEAVING)
