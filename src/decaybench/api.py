"""The Python interface: the functions behind the commands, such as ``decaybench.run`` and ``decaybench.load``."""

import gc
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decaybench import store
from decaybench.errors import UserError
from decaybench.export import TARGETS, Setting, picked_setting
from decaybench.findings import Summary, collect, join, pick, summarise
from decaybench.paths import expanded
from decaybench.report import (
    ReportSummary,
    Verified,
    build_report,
    check_folder,
    compare,
    planned,
    read_manifest,
    source,
)
from decaybench.report.words.winner import found
from decaybench.runner import Share, Watcher, audit, run_sweep, run_worker
from decaybench.search import StoredStudy, read_study
from decaybench.search.views import Content, publish
from decaybench.sweep import Sweep, load_sweep, require_current

MOST_WORKERS = 1024
storage_url = store.storage_url


@dataclass(frozen=True)
class Outcome:
    """The result of ``run``: the number of runs trained (0 if it was complete), the answer, the report's page.

    ``settled`` says whether the sweep has what it was run for, and ``complete`` whether nothing is left to train, for
    lack of a question or of repeats.
    """

    name: str
    trained: int
    settled: bool
    complete: bool
    answer: str
    report: Path


def data_root(given: str | Path | None) -> Path | None:
    """The folder that holds image folders: ``given``, else DECAYBENCH_DATA, else None (built-in data only)."""
    chosen, given_as = (given, "--data") if given else (os.environ.get("DECAYBENCH_DATA"), "DECAYBENCH_DATA")
    return expanded(chosen, given_as) if chosen else None


def as_sweep(sweep: Sweep | Mapping[str, Any] | str | Path) -> Sweep:
    """A sweep from the path of a file, the name of a shipped sweep, or a mapping with a sweep file's keys."""
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
    workers: int | None = 1,
    executor: str = "local",
    scheduler: str | None = None,
    time_limit: float | None = None,
    watcher: Watcher | None = None,
) -> Outcome:
    """Train the missing runs of a sweep until it has an answer, and write its report to ``studies``/NAME/report.

    ``executor`` says who trains: "local" (``workers`` processes of this machine), "work" (whoever runs ``decaybench
    work`` on the database), "dask" (the cluster at ``scheduler``) or "slurm".

    After ``time_limit`` seconds the search stops. What is being trained is finished, retraining follows, and the answer
    is what held at the last look. After that, and after a kill or an interruption, the same call continues where the
    first one stopped.

    Raises UserError for what the user can fix: an invalid sweep, missing data, another program's database. Raises
    MachineError, which names the runs, if some could not be trained; the same call tries them again.
    """
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UserError(f"--workers: must be in [1, {MOST_WORKERS}], got {workers}")
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise UserError(f"--time-limit: must be more than 0 seconds, got {time_limit}")
    chosen, url = as_sweep(sweep), storage_url(storage)
    out = expanded(studies, "--studies") / chosen.name / "report"
    check_folder(out)  # now, rather than after hours of training
    noting = _Noting(watcher or Watcher(), url, chosen, out)
    trained = run_sweep(
        chosen,
        url=url,
        data_root=data_root(data),
        device=device,
        workers=workers,
        executor=executor,
        scheduler=scheduler,
        time_limit=time_limit,
        watcher=noting,
    )
    summary = _write(url, [chosen.name], out)
    return Outcome(chosen.name, trained, summary.settled, summary.complete, summary.answer, summary.index)


def work(
    *,
    storage: str | None = None,
    data: str | Path | None = None,
    device: str = "auto",
    name: str | None = None,
    idle: float | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Train for sweeps that are run with ``executor="work"`` on the same database; returns after ``idle`` seconds
    without work, by default never.

    The process gives its stack back, with a checkpoint, and raises KeyboardInterrupt when it gets SIGTERM, SIGINT or
    SIGUSR1. ``say`` is called with each line about what it does. Raises UserError if the database cannot be opened.
    """
    if idle is not None and not 0 <= idle < math.inf:
        raise UserError(f"--idle: must be a number of seconds, at least 0, got {idle}")
    run_worker(url=storage_url(storage), data_root=data_root(data), device=device, name=name, idle=idle, say=say)


def load(storage: str | None, name: str) -> store.Frames:
    """Everything stored about a sweep: its row, and its runs, epochs and traces as DataFrames and arrays.

    Raises UserError if the database or the sweep does not exist.
    """
    with store.open_storage(storage_url(storage), create=False) as opened:
        return store.load_frames(opened, name)


def report(*names: str, storage: str | None = None, out: str | Path | None = None) -> ReportSummary:
    """Rebuild a sweep's report from its database, in ``out`` (default studies/NAME/report).

    Several sweeps of the same task are joined into one report (default studies/NAME+NAME/report). Raises UserError if
    their runs must not be compared.
    """
    folder = expanded(out, "--out") if out is not None else Path("studies") / "+".join(names) / "report"
    return _write(storage_url(storage), names, folder)


def verify(folder: str | Path, *, storage: str | None = None) -> Verified:
    """Recompute the report in ``folder`` from its database and compare the two; check the database too.

    Writes nothing. Raises UserError if the report, the database or its sweep is missing.
    """
    folder = expanded(folder, "DIR")
    manifest, url = read_manifest(folder), storage_url(storage)
    names = [sweep["name"] for sweep in manifest["sweeps"]]
    try:
        sweeps = _read(url, names)
    except UserError:
        raise
    except Exception as error:  # invalid content, such as a month 13 or a learning rate of three bytes
        return Verified(folder, 0, 0, (f"database: cannot be read: {error}",))
    contradictions = [
        line for sweep in sweeps for line in audit(sweep.frames, sweep.stored.runs, sweep.stored.looks, sweep.study)
    ]
    sources = [sweep.source for sweep in sweeps]
    return compare(folder, manifest, [sweep.stored for sweep in sweeps], sources, contradictions)


@dataclass(frozen=True)
class _Kept:
    """Everything in the database about a sweep: its tables, as rows and as frames, and its Optuna study."""

    stored: store.Stored
    frames: store.Frames
    study: StoredStudy | None

    @property
    def source(self) -> dict[str, Any]:
        return source(self.frames, self.study.sha256 if self.study else None, self.stored.looks)


def _read(url: str, names: Sequence[str]) -> list[_Kept]:
    with store.open_storage(url, create=False) as opened:
        stored = [(store.load(opened, name), read_study(opened.url, name)) for name in names]
    for tables, _ in stored:
        require_current(tables.sweep["spec"])
    return [_Kept(tables, store.frames(tables), study) for tables, study in stored]


def _write(url: str, names: Sequence[str], out: Path) -> ReportSummary:
    sweeps = _read(url, names)
    evidence = join([sweep.stored for sweep in sweeps])
    with _spared():
        written = build_report(evidence, out, [sweep.source for sweep in sweeps])
    if written.dashboard is not None:
        _show(url, names[0], written.dashboard)
    return written


@contextmanager
def _spared() -> Iterator[None]:
    """Keep garbage collection away from what exists now: all of it is still needed, and searching it takes seconds."""
    if gc.get_freeze_count():  # the program that calls us has its own plan
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Noting(Watcher):
    """Wraps a watcher, and shows the plan in optuna-dashboard as soon as training begins."""

    def __init__(self, watcher: Watcher, url: str, sweep: Sweep, out: Path) -> None:
        self._watcher, self._url, self._sweep, self._out = watcher, url, sweep, out

    def note(self, line: str) -> None:
        self._watcher.note(line)

    def extended(self, line: str) -> None:
        self._watcher.extended(line)

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        with store.open_storage(self._url, create=False) as opened:
            looks = store.looks(opened, name)
        _show(self._url, name, planned(self._sweep, self._out / "index.html", looks))
        self._watcher.begin(name, updates_left, stack_size, device)

    def more(self, updates: int) -> None:
        self._watcher.more(updates)

    def look(self, shown: Summary) -> None:
        self._watcher.look(shown)

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        self._watcher.phase(phase, shares)

    def advance(self, updates: int) -> None:
        self._watcher.advance(updates)

    def trouble(self, line: str) -> None:
        self._watcher.trouble(line)

    def end(self) -> None:
        self._watcher.end()


def _show(url: str, name: str, content: Content) -> None:
    """Show ``content`` in optuna-dashboard, if that is installed and the database still holds the study.

    A database that can only be read stays as it is.
    """
    with store.open_storage(url, create=False) as opened:
        if not opened.readonly:
            publish(opened.url, name, content, configure=store.configure)


def export(name: str, *, strategy: str | None = None, target: str = "torch", storage: str | None = None) -> str:
    """A sweep's best configuration as code to paste, for ``target`` torch, keras, toml or "all".

    It is that of ``strategy`` (default: the pick at the longest length, without one the leader) that was chosen by its
    mean validation on fresh seeds; where nothing was retrained, that of the trial with the best validation. Raises
    UserError if no repeat is complete yet, or if all trials of the strategy diverged.
    """
    if target not in (*TARGETS, "all"):
        raise UserError(f"--format: must be one of {', '.join(TARGETS)}, all, got {target!r}")
    setting = best(name, strategy=strategy, storage=storage)
    if target != "all":
        return TARGETS[target](setting)
    return "\n".join(f"# ---- {each} ----\n{_or_why_not(write, setting)}" for each, write in TARGETS.items())


def _or_why_not(write: Callable[[Setting], str], setting: Setting) -> str:
    """A target's code, or a comment that says why there is none, so that one failure does not hide the others."""
    try:
        return write(setting)
    except UserError as error:
        return f"# {str(error).removeprefix('--format: ')}\n"


def best(name: str, *, strategy: str | None = None, storage: str | None = None) -> Setting:
    """The configuration that `export` writes; UserError if there is none."""
    with store.open_storage(storage_url(storage), create=False) as opened:
        summary = summarise(collect(join([store.load(opened, name)])))
    picked = pick(summary, strategy)
    return picked_setting(summary.results, picked, found(summary, picked))
