"""Who trains a sweep's stacks: this process, processes of this machine, or workers elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from decaybench.errors import UserError
from decaybench.runner.executors.base import Elsewhere, Ended, Executor
from decaybench.runner.executors.here import Here
from decaybench.runner.executors.processes import Processes
from decaybench.runner.progress import Watcher
from decaybench.runner.worker import Worker
from decaybench.store import Storage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["EXECUTORS", "Elsewhere", "Ended", "Executor", "open_elsewhere", "open_executor", "require_executor"]

EXECUTORS: Final = ("local", "work", "dask", "slurm")


@contextmanager
def open_executor(
    worker: Worker, data_root: Path | None, workers: int, listen: Callable[[], None]
) -> Iterator[Executor]:
    """The executor for so many workers, closed at the end whatever happens; one worker is this process itself."""
    executor: Executor
    executor = Here(worker, listen) if workers == 1 else Processes(*worker.place, data_root, worker.device, workers)
    try:
        yield executor
    finally:
        executor.close()


def require_executor(kind: str, scheduler: str | None, device: str) -> None:
    """UserError for an unknown kind of executor, or options that do not belong to it."""
    if kind not in EXECUTORS:
        raise UserError(f"--executor: must be one of {', '.join(EXECUTORS)}, got {kind!r}")
    if kind == "dask" and scheduler is None:
        raise UserError("--scheduler: --executor dask needs the address of a Dask scheduler, such as tcp://HOST:8786")
    if kind != "dask" and scheduler is not None:
        raise UserError(f"--scheduler: is for --executor dask only, got {scheduler!r} with --executor {kind}")
    if kind != "local" and device != "auto":
        raise UserError(
            f"--device: must be auto with --executor {kind}, since the first worker chooses; got {device!r}"
        )


def open_elsewhere(
    kind: str, storage: Storage, name: str, scheduler: str | None, workers: int | None, watcher: Watcher
) -> "AbstractContextManager[Elsewhere | None]":
    """The executor of this kind for a sweep, closed at the end whatever happens; None for "local"."""
    if kind == "work":
        from decaybench.runner.executors.work import open_work

        return open_work(storage, name, watcher)
    if kind == "dask":
        from decaybench.runner.executors.dask import open_dask

        assert scheduler is not None
        return open_dask(scheduler, name, watcher)
    if kind == "slurm":
        from decaybench.runner.executors.slurm import open_slurm

        return open_slurm(name, workers, watcher)
    return nullcontext(None)
