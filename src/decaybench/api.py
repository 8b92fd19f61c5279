"""decaybench from Python: what the command line calls, and what ``decaybench.run`` and ``decaybench.load`` are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decaybench import store
from decaybench.errors import UserError
from decaybench.report import ReportSummary, build_report, check_folder
from decaybench.runner import Watcher, run_sweep
from decaybench.sweep import Sweep, load_sweep

DEFAULT_STORAGE = "sqlite:///studies/decaybench.db"


@dataclass(frozen=True)
class Outcome:
    """What a call of ``run`` did: runs trained (0 when the sweep was complete), the answer in words, and the report's
    page.
    """

    name: str
    trained: int
    answer: str
    report: Path


def storage_url(given: str | None) -> str:
    """The database: as given, else DECAYBENCH_STORAGE, else studies/decaybench.db below the working directory."""
    return given or os.environ.get("DECAYBENCH_STORAGE") or DEFAULT_STORAGE


def data_root(given: str | Path | None) -> Path | None:
    """The folder of image folders: as given, else DECAYBENCH_DATA, else none (built-in data only)."""
    chosen = given or os.environ.get("DECAYBENCH_DATA")
    return Path(chosen) if chosen else None


def as_sweep(sweep: Sweep | Mapping[str, Any] | str | Path) -> Sweep:
    """A sweep from a file's path, a shipped sweep's name, or a mapping with a sweep file's keys."""
    if isinstance(sweep, Sweep):
        return sweep
    if isinstance(sweep, Mapping):
        return Sweep.from_mapping(sweep, "sweep")
    return load_sweep(sweep)


def run(
    sweep: Sweep | Mapping[str, Any] | str | Path,
    *,
    storage: str | None = None,
    studies: str | Path = "studies",
    data: str | Path | None = None,
    device: str = "auto",
    workers: int = 1,
    watcher: Watcher | None = None,
) -> Outcome:
    """Train what is missing of a sweep, and write its report to ``studies``/NAME/report.

    Killed or interrupted at any moment, the same call goes on where it was. Raises UserError, with one line, for what
    can be mended: a wrong sweep, missing data, a database that is not ours.
    """
    if workers != 1:
        raise UserError(f"--workers: more than one process is not available yet in this version, got {workers}")
    chosen, url = as_sweep(sweep), storage_url(storage)
    out = Path(studies) / chosen.name / "report"
    check_folder(out)  # now, rather than after hours of training
    trained = run_sweep(chosen, url=url, data_root=data_root(data), device=device, watcher=watcher)
    summary = build_report(load(url, chosen.name), out)
    return Outcome(chosen.name, trained, summary.answer, summary.index)


def load(storage: str | None, name: str) -> store.Frames:
    """All that is stored of a sweep: its row, and its runs, epochs and traces as DataFrames and arrays."""
    with store.open_storage(storage_url(storage), create=False) as opened:
        return store.load_frames(opened, name)


def report(name: str, *, storage: str | None = None, out: str | Path | None = None) -> ReportSummary:
    """Write a sweep's report again from its database, to ``out`` (default studies/NAME/report)."""
    frames = load(storage, name)
    return build_report(frames, Path(out) if out is not None else Path("studies") / name / "report")
