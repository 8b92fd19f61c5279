"""What decaybench costs besides training: report and status of a large sweep, search and storage of a small one.

    python -m benchmarks.overheads [--runs 10000] [--keep FOLDER]

This prints seconds and peak memory of ``decaybench report`` and ``decaybench status`` on a database of RUNS runs of 50
epochs with made-up results. It also prints the share of quickstart that is spent on search and storage (proposals, the
study, our tables; not the report), in one process and with one process per core, the default of `decaybench run`.

The share of wall time is relative to the seconds of all W training processes, W times quickstart's wall time. With one
process, nothing is trained during a call, so a call counts with its full duration. With several:

- A call in a training process counts with its duration, since that process does not train meanwhile.
- A call in the main process runs beside the training. It counts with its duration for every process that has nothing
  to train when it ends, and at least with its CPU seconds, since it takes a core from a training process.

The share of CPU time is relative to that of all processes. On a machine that is not idle, it is the more reliable one.
"""

import argparse
import atexit
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from decaybench import api, store
from decaybench.findings import Summary
from decaybench.findings.plan import look_rows, retrained, step, summary_at, wanted
from decaybench.findings.selection import told
from decaybench.runner import driver
from decaybench.runner.executors.processes import Processes
from decaybench.runner.proposals import Proposals
from decaybench.search import Slot, StudyMirror, balanced_sampler
from decaybench.store import EpochRow, Mirror, NewRun, RunResult, Storage
from decaybench.sweep import (
    CANDIDATES,
    RETRAINED,
    PlannedRun,
    RunParameters,
    Sweep,
    arms,
    plan_search,
    resolve,
    spec_hash,
)

NAME, EPOCHS, STEPS, REPEATS, CONFIRM = "overheads", 50, 6, 5, 2
KINDS = ("constant", "time_based", "step_decay", "exponential", "cosine", "linear", "inverse_sqrt")
REACTIVE = ("exp_loss", "reduce_on_plateau", "bold_driver")
CHANCE = {"accuracy": 0.1, "loss": math.log(10)}
CHILDREN = "OVERHEADS_OF_CHILDREN"  # names the folder to which quickstart's other processes write their costs
AT_ONCE = 500
"""Runs written in one transaction. A real sweep writes the same rows, one stack at a time."""

# A process in between, since a new process counts the memory of the process that starts it as its own.
MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def sweep_of(runs: int) -> Sweep:
    """A balanced sweep of 10 strategies, one look after 5 repeats and 2 confirm seeds, with about ``runs`` runs."""
    kinds = (*KINDS, *REACTIVE)
    after = CANDIDATES * (RETRAINED + 1) * CONFIRM
    return Sweep.from_mapping(
        {
            "name": NAME,
            "question": "What do report and status cost?",
            "task": {"data": "digits", "model": "small-cnn", "epochs": EPOCHS, "batch_size": 64, "train_size": 384},
            "budget": {
                "trials": (runs - after) // (REPEATS * len(kinds)),
                "repeats": {"from": REPEATS, "to": REPEATS},
                "confirm_seeds": CONFIRM,
            },
            "search": {
                "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
                "momentum": {"low": 0.5, "high": 0.99, "log": True},
            },
            "strategies": {kind: {} for kind in kinds},
        },
        NAME,
    )


def build(url: str, sweep: Sweep) -> None:
    """Write the sweep as the driver does: its runs, their Optuna trials, epochs, results and traces, and its look."""
    own = {arm.label: arm for arm in arms(sweep)}
    spaces = {label: arm.space for label, arm in own.items()}
    sampler = balanced_sampler("sobol", spaces, sweep.search.seed, sweep.search.batch, "maximize")
    search, spec = plan_search(sweep, wanted(sweep, [])), sweep.spec()
    with store.open_storage(url, create=True) as storage:
        store.create_sweep(
            storage,
            name=sweep.name,
            question=sweep.question,
            spec=spec,
            spec_hash=spec_hash(spec),
            provenance={
                **{f"chance_{metric}": value for metric, value in CHANCE.items()},
                "device": "cpu",
                "examples": {"train": 384, "validation": 300, "signal": 0, "test": 300},
            },
            runs=_new(search),
        )
        parameters: dict[str, RunParameters] = {}
        stacks = count()
        with StudyMirror(storage, sweep.name, direction="maximize", spaces=spaces, configure=store.configure) as mirror:
            for part in _parts(search):
                slots = {run.id: Slot(run.id, run.strategy, run.repeat, run.slot, run.length, run.seed) for run in part}
                values = {run.id: sampler.propose(slots[run.id], []) for run in part}
                for run in part:
                    parameters[run.id] = resolve(
                        own[run.strategy], values[run.id], total_steps=STEPS * EPOCHS, steps_per_epoch=STEPS
                    )
                numbers = mirror.begin({slots[run.id]: values[run.id] for run in part})
                worth = _write(storage, next(stacks), part, parameters, numbers)
                mirror.tell({numbers[run_id]: value for run_id, value in worth.items()})
        shown = _summary(storage, sweep, step(sweep, []))
        store.write_look(storage, look_rows(shown, 0, store.sweep_id(sweep.name)))
        found = {(run.strategy, run.repeat, run.slot): parameters[run.id] for run in search}
        while following := [run for run in retrained(sweep, _summary(storage, sweep)) if run.id not in parameters]:
            store.add_runs(storage, sweep.name, _new(following))
            for run in following:
                parameters[run.id] = found[run.strategy, run.repeat, run.slot]
            _write(storage, next(stacks), following, parameters, {})
        store.update_sweep(storage, sweep.name, status="complete")


def _summary(storage: Storage, sweep: Sweep, at: Mapping[str, int] | None = None) -> Summary:
    """What the sweep shows at its last look, or ``at`` so many repeats of each strategy."""
    row = store.sweep_row(storage, sweep.name)
    assert row is not None
    return summary_at(row, store.runs(storage, sweep.name), store.looks(storage, sweep.name), at)


def _write(
    storage: Storage,
    stack: int,
    runs: Sequence[PlannedRun],
    parameters: dict[str, RunParameters],
    numbers: dict[str, int],
) -> dict[str, float]:
    """Write made-up curves, traces and results of a stack's runs; return their objective values by run id."""
    mirrors = [Mirror(run.id, numbers.get(run.id), parameters[run.id].params) for run in runs]
    claim = store.offer(storage, store.sweep_id(NAME), stack, mirrors, device="cpu", precision="fp32")
    store.take(storage, claim, "benchmark")
    epochs, results = _made_up(runs, parameters)
    store.write_epochs(storage, epochs, claim)
    store.finish_runs(storage, results, claim)
    return {result.run_id: told(result, "accuracy", CHANCE) for result in results}


def _made_up(
    runs: Sequence[PlannedRun], parameters: dict[str, RunParameters]
) -> tuple[list[EpochRow], list[RunResult]]:
    """Made-up accuracies that are best near a learning rate of 0.05; some runs with large learning rates diverge."""
    epochs, results = [], []
    for run in runs:
        random = np.random.default_rng(run.seed)
        rate = parameters[run.id].learning_rate
        diverged = rate > 0.3 and random.random() < 0.3
        done = int(random.integers(EPOCHS)) if diverged else EPOCHS
        reached = 0.95 - 0.1 * (np.log10(rate) + 1.3) ** 2 + 0.01 * random.standard_normal()
        share = np.arange(1, done + 1) / EPOCHS
        accuracy = np.clip(reached * (1 - np.exp(-6 * share)), 0.1, 1.0)
        loss = CHANCE["loss"] * (1 - accuracy) * (1 + 0.05 * random.random(done))
        share = np.arange(STEPS * done) / (STEPS * EPOCHS)
        wobble = random.random(share.size) if run.strategy in REACTIVE else 0.0
        trace = rate * np.exp(-2 * (run.strategy != "constant") * (share + 0.1 * wobble))
        rows = zip(range(1, done + 1), 0.9 * loss, loss, accuracy, trace[STEPS - 1 :: STEPS], strict=True)
        epochs += [EpochRow(run.id, *row, seconds=0.5) for row in rows]
        last = (float(loss[-1]), float(accuracy[-1])) if done else (None, None)
        test = (None, None) if diverged else last
        results.append(
            RunResult(
                run.id,
                "diverged" if diverged else "finished",
                done,
                validation_loss=last[0],
                validation_accuracy=last[1],
                test_loss=test[0],
                test_accuracy=test[1],
                diverged_step=STEPS * done if diverged else None,
                updates_computed=len(trace),
                trace=trace.astype(np.float32),
            )
        )
    return epochs, results


def _new(planned: Sequence[PlannedRun]) -> list[NewRun]:
    return [NewRun(**vars(run)) for run in planned]


def _parts(runs: Sequence[PlannedRun]) -> Iterator[Sequence[PlannedRun]]:
    for start in range(0, len(runs), AT_ONCE):
        yield runs[start : start + AT_ONCE]


def measure(*arguments: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory (GiB) of ``decaybench ARGUMENTS`` in its own process (Linux)."""
    command = [sys.executable, "-m", "decaybench", *arguments]
    ran = subprocess.run([sys.executable, "-c", MEASURE, *command], check=True, capture_output=True, text=True)
    wall, cpu, kib = map(float, ran.stdout.split())
    return wall, cpu, kib / 2**20


class Call(NamedTuple):
    """An outermost call and its seconds; ``busy`` is the number of processes that were training when it ended."""

    what: str
    wall: float
    cpu: float
    busy: int


class Timers:
    """Measures watched calls by purpose; of nested calls, only the outermost counts."""

    def __init__(self, busy: Callable[[], int] = lambda: 0) -> None:
        self.calls: list[Call] = []
        self._busy, self._inside = busy, False

    def watch(self, owner: Any, name: str, what: str) -> None:
        """Measure the calls of ``owner.name`` as ``what``."""
        call: Callable[..., Any] = getattr(owner, name)

        @wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._inside:
                return call(*arguments, **named)
            self._inside, wall, cpu = True, time.perf_counter(), time.process_time()
            try:
                return call(*arguments, **named)
            finally:
                self._inside = False
                spent = time.perf_counter() - wall, time.process_time() - cpu
                self.calls.append(Call(what, *spent, self._busy()))

        setattr(owner, name, timed)

    def watch_storage(self) -> None:
        """Measure the functions of ``store`` as storage."""
        for name in store.__all__:
            if callable(getattr(store, name)) and name[0].islower():
                self.watch(store, name, "storage")


@dataclass(frozen=True)
class Share:
    """Quickstart's cost: wall seconds, CPU seconds by purpose, and the shares of search and storage in both."""

    processes: int
    seconds: float
    cpu: Mapping[str, float]
    of_wall: float
    of_cpu: float


def quickstart(folder: Path, workers: int | None) -> Share:
    """Run quickstart and measure the calls in this process and its children."""
    made: list[Processes] = []
    make = Processes.__init__

    def busy() -> int:
        return sum(one.claim is not None for executor in made for one in executor._processes)

    def noted(executor: Processes, *arguments: Any) -> None:
        make(executor, *arguments)
        made.append(executor)

    Processes.__init__ = noted  # type: ignore[method-assign]
    timers = Timers(busy)
    timers.watch_storage()
    for method in ("__init__", "__exit__", "begin", "tell", "fail", "reconcile"):
        timers.watch(StudyMirror, method, "search")
    timers.watch(Proposals, "values", "search")
    timers.watch(driver, "study_exists", "search")
    timers.watch(api, "publish", "search")
    timers.watch(api, "build_report", "report")
    os.environ[CHILDREN] = str(folder)
    began, before = time.perf_counter(), _cpu()
    api.run("quickstart", storage=f"sqlite:///{folder}/quickstart.db", studies=folder, workers=workers)
    seconds, all_cpu = time.perf_counter() - began, _cpu() - before
    processes = made[0].workers if made else 1
    children = [Call(*call) for file in folder.glob("*.calls") for call in json.loads(file.read_text())]
    cpu: Counter[str] = Counter()
    for call in (*timers.calls, *children):
        cpu[call.what] += call.cpu
    cpu["training"] = all_cpu - cpu.total()
    ours = [call for call in timers.calls if call.what != "report"]
    lost = sum(max(call.cpu, call.wall * max(processes - call.busy, 0)) for call in ours)
    lost += sum(call.wall for call in children)
    return Share(processes, seconds, cpu, lost / (processes * seconds), (cpu["search"] + cpu["storage"]) / all_cpu)


def _cpu() -> float:
    """CPU seconds of this process and of those of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def watch_child() -> None:
    """In a process of the pool: measure its storage calls, and write them to a file when it ends."""
    timers = Timers()
    timers.watch_storage()
    file = Path(os.environ[CHILDREN]) / f"{os.getpid()}.calls"
    atexit.register(lambda: file.write_text(json.dumps(timers.calls)))


def main() -> None:
    """Build the database, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, metavar="N")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="build the database here, or reuse the one here")
    parser.add_argument("--quickstart", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quickstart is not None:
        with tempfile.TemporaryDirectory() as fresh:
            share = quickstart(Path(fresh), given.quickstart or None)
        parts = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in share.cpu.items())
        print(f"quickstart, processes: {share.processes}; {share.seconds:.1f} s; CPU: {parts}")
        print(f"  search and storage: {share.of_wall:.1%} of wall time, {share.of_cpu:.1%} of CPU time")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        database = folder / f"{given.runs}.db"
        url = f"sqlite:///{database}"
        if not database.exists():
            began = time.perf_counter()
            build(url, sweep_of(given.runs))
            print(f"built {database.stat().st_size / 2**20:.0f} MiB in {time.perf_counter() - began:.0f} s")
        for arguments in (["report", NAME, "--out", str(folder / "report")], ["status"], ["status", NAME]):
            wall, cpu, memory = measure(*arguments, "--storage", url)
            print(f"{' '.join(arguments[:2]):20} {wall:6.2f} s wall {cpu:6.2f} s CPU {memory:6.2f} GiB")
    for workers in (1, None):
        # Each in its own process, since watching a function cannot be undone.
        command = [sys.executable, "-m", "benchmarks.overheads", "--quickstart", str(workers or 0)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__" and CHILDREN in os.environ:
    watch_child()
