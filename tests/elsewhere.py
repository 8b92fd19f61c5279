"""Sweeps that workers elsewhere train, and such workers."""

import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from decaybench import store
from decaybench.runner import run_sweep
from decaybench.runner.planner import write_sweep
from decaybench.sweep import Sweep
from small_sweep import SMALL, results
from trained import Told, command

ONE = SMALL.replace("repeats = 2", "repeats = 1")


def without_stacks(database: Path) -> dict[str, list[tuple]]:
    """The results; which runs are stacked together is a matter of how many workers there are."""
    found = results(database)
    return found | {"runs": [(*run[:-2], run[-1]) for run in found["runs"]]}


def drive(database: Path, text: str = ONE, like: Path | None = None, **how) -> list[str]:
    """Drive the sweep, which others train; returns what went wrong, line by line.

    With ``like``, the sweep was measured as in that database, since the width depends on how busy the machine is.
    """
    watcher, url = Told(), f"sqlite:///{database}"
    sweep = Sweep.from_mapping(tomllib.loads(text), "sweep.toml")
    if like is not None:
        with store.open_storage(f"sqlite:///{like}", create=False) as other:
            measured = store.sweep_row(other, sweep.name)
        with store.open_storage(url, create=True) as opened:
            write_sweep(sweep, opened, measured["provenance"])
    run_sweep(sweep, url=url, data_root=None, watcher=watcher, **how)
    return watcher.lines


@contextmanager
def working(folder: Path, *names: str) -> Iterator[list[BaseProcess]]:
    """``decaybench work`` on d.db there, in a process per name, which writes to a folder of that name."""
    for name in names:
        (folder / name).mkdir()
    url = f"sqlite:///{folder / 'd.db'}"
    processes = [command(folder / name, "work", "--storage", url) for name in names]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
            process.join(30)


def held(database: Path) -> dict[int, str]:
    """The workers of the stacks that are being trained."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT stack, worker FROM stacks WHERE state = 'held'").fetchall())
