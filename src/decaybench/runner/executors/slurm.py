"""Stacks are trained in SLURM: in the allocation that the driver is in, or else in a job per stack.

The jobs have the driver's environment, as sbatch and srun pass it on; options such as the partition come from sbatch's
own variables, such as SBATCH_PARTITION.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from decaybench.errors import UserError
from decaybench.runner.executors.base import Patience
from decaybench.runner.executors.futures import Futures
from decaybench.runner.progress import Watcher

RESTARTS = 1000  # a worker that was killed is replaced this often


@contextmanager
def open_slurm(name: str, workers: int | None, watcher: Watcher) -> Iterator[Futures]:
    """The executor for up to ``workers`` stacks at once (default: the tasks of the allocation); UserError without."""
    tasks = os.environ.get("SLURM_NTASKS", "") if "SLURM_JOB_ID" in os.environ else ""
    if (at_once := workers or int(tasks or 0)) < 1:
        raise UserError("--workers: must say how many jobs SLURM may run at once")
    if not os.environ.get("DECAYBENCH_STORAGE"):
        raise UserError("--executor slurm needs DECAYBENCH_STORAGE in the environment, from which its jobs have it")
    # executorlib answers a call that it finds in its folder with the old result, so each run has one of its own. It is
    # in the current folder, because the jobs must see it too.
    folder = tempfile.mkdtemp(prefix=".decaybench-slurm-", dir=".")
    try:
        pool = _pool(at_once, folder)
        executor = Futures(pool, name, lambda: at_once, Patience(watcher.trouble, ""))
        try:
            yield executor
        finally:
            executor.close()
            pool.shutdown(wait=False, cancel_futures=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pool(workers: int, folder: str) -> Executor:
    try:
        from executorlib import SlurmClusterExecutor, SlurmJobExecutor
    except ImportError as error:
        raise UserError("--executor slurm needs executorlib; pip install 'decaybench[cluster]'") from error
    pool: Executor
    if "SLURM_JOB_ID" in os.environ:
        # A process per task of the allocation, which keeps the data in memory.
        pool = SlurmJobExecutor(
            max_workers=workers, cache_directory=folder, block_allocation=True, restart_limit=RESTARTS
        )
    else:
        pool = SlurmClusterExecutor(max_workers=workers, cache_directory=folder)
    return pool
