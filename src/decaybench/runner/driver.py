"""From a sweep to its results: plan, train what is missing, retrain the best. Every step can be killed and resumed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from decaybench import store
from decaybench.errors import MachineError, UserError, reason
from decaybench.findings.selection import chance_of, stopped_after, told
from decaybench.runner import stacks
from decaybench.runner.alone import alone
from decaybench.runner.crew import choose_crew
from decaybench.runner.environment import (
    Environment,
    choose_device,
    prepare_environment,
    provenance,
    require_same_data,
)
from decaybench.runner.planner import AFTER_SEARCH, Planner
from decaybench.runner.pool import Bench, Job, Pool, open_pool
from decaybench.runner.progress import Watcher
from decaybench.runner.proposals import ENDED, direction, slot_of
from decaybench.runner.replay import replaying
from decaybench.runner.rerun import require_extension, what_is_left
from decaybench.runner.tally import Tally
from decaybench.runner.worker import Stack, failed
from decaybench.search import Slot, StudyMirror, study_exists
from decaybench.store import Mirror, RunResult, RunRow, Storage
from decaybench.sweep import RunParameters, Sweep, from_params, long_warmups, resolve, shares_slots


def run_sweep(
    sweep: Sweep,
    *,
    url: str,
    data_root: Path | None,
    device: str = "auto",
    workers: int | None = 1,
    time_limit: float | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Train the missing runs of a sweep (search, confirm and replay) and return the number of runs trained.

    ``workers`` is the number of processes; None means one per core, if the sweep is long enough to be worth it.

    After ``time_limit`` seconds the search stops: what is being trained is finished, and retraining follows.

    Everything is checked before anything is written: the database, the sweep against its stored form, the data and the
    model. Raises UserError for what the user can fix, and MachineError if a training process is killed.
    """
    stored, url, watcher, extended, left = None, store.absolute(url), watcher or Watcher(), False, None
    if (existing := store.find_storage(url)) is not None:
        with existing:
            stored = store.sweep_row(existing, sweep.name)
            looks = store.looks(existing, sweep.name) if stored is not None else []
    if stored is not None:
        extended = require_extension(sweep, stored, looks)
        left = what_is_left(sweep, stored, looks)
        device = stored["provenance"]["device"] if device == "auto" else device
    elif study_exists(url, sweep.name):
        raise UserError(f"{sweep.name}: the database already has an Optuna study of that name; use another name")
    environment = prepare_environment(sweep, data_root, choose_device(device))
    crew = choose_crew(sweep, environment, stored and stored["provenance"], workers)
    now = provenance(sweep, environment, crew.width, crew.workers)
    if stored is not None:
        require_same_data(sweep.name, stored["provenance"], now)
    if stored is None or stored["status"] != "complete" or extended:
        for line in long_warmups(sweep, now["steps_per_epoch"]):
            watcher.note(line)  # before anything is written, since it raises if warnings are errors
    if left is not None:
        watcher.extended(left)
    with store.open_storage(url, create=True) as storage, alone(storage, sweep.name):
        # Check again, now behind the lock: another process may have written the sweep in the meantime.
        if (stored := store.sweep_row(storage, sweep.name)) is not None:
            require_extension(sweep, stored, store.looks(storage, sweep.name))
            require_same_data(sweep.name, stored["provenance"], now)
            now = stored["provenance"]
            # Its trials count as they did: an earlier version may have taken chance from other labels.
            environment = replace(environment, chance={**environment.chance, **chance_of(now)})
        deadline = None if time_limit is None else time.monotonic() + time_limit
        driver = _Driver(sweep, storage, environment, now["stack_size"], crew.workers, watcher, deadline)
        driver.planner.write_search(now)
        bench = Bench(sweep, storage, environment, now["stack_size"])
        try:
            with open_pool(bench, data_root, crew.workers, driver.watcher.advance) as pool:
                return driver.work(pool)
        except BrokenProcessPool:
            raise MachineError(
                f"sweep {sweep.name}: a training process was killed (out of memory?); "
                "run the same command again to continue"
            ) from None


@dataclass(frozen=True)
class _Begun:
    """A stack that is being trained: its rows, and the numbers of its Optuna trials by run id, if it is searching."""

    members: list[RunRow]
    numbers: Mapping[str, int]


class _Driver:
    def __init__(
        self,
        sweep: Sweep,
        storage: Storage,
        environment: Environment,
        stack_size: int,
        workers: int,
        watcher: Watcher,
        deadline: float | None,
    ) -> None:
        self.sweep, self.storage, self.environment, self.watcher = sweep, storage, environment, watcher
        self.stack_size, self.deadline = stack_size, deadline
        self.cut = self.begun = False  # whether the time limit ended the search; whether anything is trained
        self.metric = sweep.task.metric
        self.planner = Planner(sweep, storage, environment, stack_size, workers)
        self.arms, self.proposals = self.planner.arms, self.planner.proposals
        self.mirror: StudyMirror

    def work(self, pool: Pool) -> int:
        """Search until a look has the answer, then retrain and replay; returns the number of runs trained."""
        with StudyMirror(
            self.storage.url,
            self.sweep.name,
            direction=direction(self.sweep),
            spaces=self.proposals.spaces,
            configure=store.configure,
            plain_errors=self.storage.plain_errors,
        ) as self.mirror:
            self._reconcile()
            trained = self._search(pool)
            self.planner.write_confirm()
            # The choosing runs say which configurations are trained on further seeds.
            while more := sum(self._train_phase(phase, pool) for phase in AFTER_SEARCH):
                trained += more
                self.planner.write_confirm()
        store.update_sweep(self.storage, self.sweep.name, status="stopped" if self.cut else "complete")
        if self.begun:
            self.watcher.end()
        return trained

    def _search(self, pool: Pool) -> int:
        trained = self._train_phase("search", pool)
        waves = self.planner.write_waves()
        while not self.cut and next(waves, self) is not self:
            trained += self._train_phase("search", pool)
        while not self.cut and (shown := self.planner.look()) is not None:
            self.watcher.look(shown)
            trained += self._train_phase("search", pool)
        return trained

    def _announce(self, phase: str, pool: Pool) -> None:
        """Tell the watcher how much is trained next."""
        updates = self.planner.updates(phase)
        if self.begun:
            # An adaptive sweep's first wave has announced its open trials, so all the others.
            if not (phase == "search" and shares_slots(self.sweep)):
                self.watcher.more(updates)
            return
        self.begun = True
        store.update_sweep(self.storage, self.sweep.name, status="running")
        self.watcher.begin(self.sweep.name, updates, self.stack_size * pool.workers, self.environment.device.type)

    def _train_phase(self, phase: str, pool: Pool) -> int:
        todo = stacks.members(self.planner.pending(phase))
        tally = Tally(self.arms, self.metric, self.environment.chance)
        open_slots = self.planner.open_slots() if phase == "search" else 0
        tally.plan((run for run in self.planner.runs(phase) if not run.superseded), open_slots)
        if todo:
            self._announce(phase, pool)
            self.watcher.phase(phase, tally.shares())
        trained = 0
        # A sampler that learns needs the results of one wave for the proposals of the next.
        for _, wave in groupby(todo, key=lambda members: self.planner.wave(members[0])):
            if self.cut and phase == "search":
                break
            for begun, results in self._train_wave(phase, wave, pool):
                trained += len(results)
                for run, result in zip(begun.members, results, strict=True):
                    tally.count(run.strategy, result)
                self.watcher.phase(phase, tally.shares())
        return trained

    def _train_wave(
        self, phase: str, wave: Iterator[list[RunRow]], pool: Pool
    ) -> Iterator[tuple[_Begun, list[RunResult]]]:
        """Train stacks that do not depend on each other, as many at once as the pool has processes."""
        while True:
            while not pool.full and (members := next(wave, None)) is not None:
                if phase == "search" and self.deadline is not None and time.monotonic() > self.deadline:
                    self.cut = True
                    break
                begun, job = self._begin(phase, members)
                pool.start(job, begun)
            ended = list(pool.finished())
            if not ended:
                return
            for begun, future in ended:
                yield begun, self._finish(begun, future)

    def _begin(self, phase: str, members: list[RunRow]) -> tuple[_Begun, Job]:
        """Mark these runs as being trained, in the tables and in the study."""
        searching = phase == "search"
        ids = [run.id for run in members]
        numbers: dict[str, int] = {}
        if searching:
            values = self._values(members)
            parameters = {run.id: self._resolved(run, values[run.id]) for run in members}
            numbers = self.mirror.begin({slot_of(run): values[run.id] for run in members})
        else:
            parameters = self._retrained_parameters(members)
        store.begin_attempt(
            self.storage,
            ids,
            device=self.environment.device.type,
            precision=self.sweep.task.precision,
            started_at=datetime.now(UTC),
        )
        store.set_mirror(
            self.storage, [Mirror(run_id, numbers.get(run_id), parameters[run_id].params) for run_id in ids]
        )
        sizes = [self.planner.size(run.length) for run in members]
        stack = Stack(members, [parameters[run_id] for run_id in ids], self.planner.form(members[0]), sizes)
        return _Begun(members, numbers), Job(stack)

    def _finish(self, begun: _Begun, future: Future[list[RunResult]]) -> list[RunResult]:
        """Close the stack's trials in the study, now that the worker has written its results to our tables."""
        try:
            results = future.result()
        except BrokenProcessPool:  # a process may have written its results before it died, and another may be writing
            raise
        except Exception as error:  # the machine's fault (memory, a driver): stored as failed, retried by the next run
            ids = [run.id for run in begun.members]
            rows = [run for run in store.some_runs(self.storage, ids) if run.outcome is None]
            store.finish_runs(self.storage, [failed(run) for run in rows])
            numbers = [begun.numbers[run.id] for run in rows if run.id in begun.numbers]
            self.mirror.fail(numbers)  # the others are told at the next start
            raise MachineError(
                f"sweep {self.sweep.name}: {_called(begun.members)} failed: {reason(error)}; "
                "run the same command again to continue"
            ) from error
        worth = {result.run_id: told(result, self.metric, self.environment.chance) for result in results}
        rungs = {result.run_id: rung for result in results if (rung := stopped_after(result)) is not None}
        self.mirror.tell(
            {number: worth[run_id] for run_id, number in begun.numbers.items()},
            {number: rungs[run_id] for run_id, number in begun.numbers.items() if run_id in rungs},
        )
        return results

    def _values(self, runs: Sequence[RunRow]) -> dict[str, dict[str, Any]]:
        return self.proposals.values(runs, self.planner.runs("search") if self.proposals.learns else [])

    def _resolved(self, run: RunRow, values: Mapping[str, Any]) -> RunParameters:
        of = self.planner.size(run.length)
        arm = self.arms[run.strategy]
        return resolve(arm, values, total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch)

    def _retrained_parameters(self, members: list[RunRow]) -> dict[str, RunParameters]:
        """The parameters of confirm and replay runs: those of the trials whose configurations they retrain."""
        trials = {(run.strategy, run.repeat, run.slot, run.length): run for run in self.planner.runs("search")}
        chosen = {}
        for run in members:
            trial = trials[run.strategy, run.repeat, run.slot, run.length]
            chosen[run.id] = from_params(self.arms[run.strategy], trial.params or {})
        recorded = store.traces(self.storage, [run.replay_of for run in members if run.replay_of is not None])
        return {
            run.id: chosen[run.id]
            if run.replay_of is None
            else replaying(chosen[run.id], recorded[run.replay_of], self.planner.size(run.length))
            for run in members
        }

    def _reconcile(self) -> None:
        """Bring the study in line with our tables, whatever state a crash left it in."""
        done = {run.id: run for run in self.planner.runs("search") if run.outcome in ENDED}
        chance = self.environment.chance

        def propose(slot: Slot) -> dict[str, Any]:
            return self._values([done[slot.run_id]])[slot.run_id]

        results = {run.id: (slot_of(run), told(run, self.metric, chance)) for run in done.values()}
        rungs = {run.id: rung for run in done.values() if (rung := stopped_after(run)) is not None}
        numbers = self.mirror.reconcile(results, propose, rungs)
        other = [run for run in done.values() if run.trial_number != numbers[run.id]]
        store.set_mirror(self.storage, [Mirror(run.id, numbers[run.id], run.params or {}) for run in other])


def _called(runs: Sequence[RunRow]) -> str:
    """The runs of a stack by name: ``search of cosine, repeat 0, trial 3, seed 17; ...``."""
    named = [f"{run.phase} of {run.strategy}, repeat {run.repeat}, trial {run.slot}, seed {run.seed}" for run in runs]
    return "; ".join(named)
