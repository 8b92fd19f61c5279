"""Who trains a sweep's stacks: this process, or processes of this machine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from decaybench.runner.executors.base import Ended, Executor
from decaybench.runner.executors.here import Here
from decaybench.runner.executors.processes import Processes
from decaybench.runner.worker import Worker

__all__ = ["Ended", "Executor", "open_executor"]


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
