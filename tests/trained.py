"""Sweeps trained without their report, which takes longer than a small one; also by processes that may be killed."""

import multiprocessing
import os
import signal
import time
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from decaybench import store
from decaybench.cli import main
from decaybench.findings import collect, join, summarise
from decaybench.report.folder.csv_files import summary_csv
from decaybench.runner import Watcher, run_sweep
from decaybench.store import Frames
from decaybench.sweep import Sweep
from small_sweep import epochs_written

# The server imports once what every sweep needs and forks a process in milliseconds; a new interpreter takes seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["decaybench.api", "decaybench.runner.driver", "alembic.context", "sklearn.datasets"])


class Told(Watcher):
    """Keeps the lines about what went wrong, and counts the updates that were announced and made."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.total = self.made = 0

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        self.total = updates_left

    def more(self, updates: int) -> None:
        self.total += updates

    def advance(self, updates: int) -> None:
        self.made += updates

    def trouble(self, line: str) -> None:
        self.lines.append(line)


def train(
    sweep: str | Mapping[str, Any],
    database: Path,
    *,
    workers: int = 1,
    watcher: Watcher | None = None,
    time_limit: float | None = None,
) -> Frames:
    """Train a sweep, a file's text or its keys, in this process; returns everything that the database has of it."""
    keys = tomllib.loads(sweep) if isinstance(sweep, str) else sweep
    url = f"sqlite:///{database}"
    file = Sweep.from_mapping(keys, "sweep.toml")
    run_sweep(file, url=url, data_root=None, workers=workers, watcher=watcher, time_limit=time_limit)
    with store.open_storage(url, create=False) as opened:
        return store.load_frames(opened, keys["name"])


def start(sweep: str, database: Path, *, workers: int = 1) -> BaseProcess:
    """Train a sweep in a process of its own."""
    process = FORKS.Process(target=train, args=(sweep, database), kwargs={"workers": workers})
    process.start()
    return process


def command(folder: Path, *arguments: str) -> BaseProcess:
    """Start the command line there, in a process of its own that has imported everything; it prints to ``out`` and ``err``."""
    process = FORKS.Process(target=_command, args=(folder, arguments))
    process.start()
    return process


def _command(folder: Path, arguments: tuple[str, ...]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a person's Ctrl-C, wherever pytest runs
    os.chdir(folder)
    os.environ.pop("DECAYBENCH_STORAGE", None)
    with open("out", "w", 1) as out, open("err", "w", 1) as err, redirect_stdout(out), redirect_stderr(err):
        main(arguments)


def kill(process: BaseProcess) -> None:
    process.kill()
    process.join()


def wait_for_epochs(database: Path, wanted: int, process: BaseProcess) -> None:
    """Wait until this much is written, as `epochs_written` counts, or the process has ended."""
    while process.is_alive() and epochs_written(database) < wanted:
        time.sleep(0.01)


def summary(database: Path, name: str) -> str:
    """summary.csv, as the report would have it."""
    with store.open_storage(f"sqlite:///{database}", create=False) as opened:
        return summary_csv(summarise(collect(join([store.load(opened, name)]))))
