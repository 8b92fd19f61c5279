"""Stacks are trained by the workers of a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from decaybench.errors import MachineError, UserError, reason
from decaybench.runner.executors.base import Patience
from decaybench.runner.executors.futures import Futures
from decaybench.runner.progress import Watcher

HOW = "start one with: dask worker SCHEDULER --nthreads 1, and DECAYBENCH_STORAGE in its environment"


@contextmanager
def open_dask(address: str, name: str, watcher: Watcher) -> Iterator[Futures]:
    """The executor for the cluster whose scheduler has this address; UserError if it cannot be reached."""
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError("--executor dask needs Dask; pip install 'decaybench[cluster]'") from error
    try:
        client = Client(address, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"--scheduler: {address} cannot be reached: {reason(error)}") from error

    def able() -> int:
        try:
            return len(client.nthreads())
        except OSError as error:
            raise MachineError(f"the Dask scheduler at {address} is out of reach: {reason(error)}") from error

    with client:
        # With pure=True, equal arguments would give the future of an earlier call.
        pool = client.get_executor(pure=False, retries=0)
        executor = Futures(pool, name, able, Patience(watcher.trouble, HOW))
        try:
            yield executor
        finally:
            executor.close()
