"""From a sweep to its results: plan, train what is missing, retrain the best. Every step can be killed and resumed."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from time import monotonic

from decaybench import store
from decaybench.errors import MachineError, UserError
from decaybench.runner import stacks
from decaybench.runner.checkpoints import checkpoint_every
from decaybench.runner.crew import Crew, choose_crew
from decaybench.runner.dispatch import Dispatch, in_words
from decaybench.runner.elsewhere import as_elsewhere, measured
from decaybench.runner.environment import (
    Environment,
    choose_device,
    prepare_environment,
    provenance,
    require_same_data,
)
from decaybench.runner.executors import Executor, open_elsewhere, open_executor, require_executor
from decaybench.runner.leaving import LEAVE, Leaving
from decaybench.runner.ownership import Owner, own
from decaybench.runner.pausing import Pausing
from decaybench.runner.planner import AFTER_SEARCH, Planner
from decaybench.runner.progress import Watcher
from decaybench.runner.proposals import direction
from decaybench.runner.rerun import require_extension, what_is_left
from decaybench.runner.tally import Tally
from decaybench.runner.worker import Worker, as_begun
from decaybench.search import StudyMirror, study_exists
from decaybench.store import RunRow, Storage
from decaybench.sweep import Sweep, long_warmups, shares_slots
from decaybench.training import Interrupted


def run_sweep(
    sweep: Sweep,
    *,
    url: str,
    data_root: Path | None,
    device: str = "auto",
    workers: int | None = 1,
    executor: str = "local",
    scheduler: str | None = None,
    time_limit: float | None = None,
    watcher: Watcher | None = None,
) -> int:
    """Train the missing runs of a sweep (search, confirm and replay) and return the number of runs trained.

    ``workers`` is the number of processes; None means one per core, if the sweep is long enough to be worth it. An
    ``executor`` other than "local" trains elsewhere ("dask" at the address ``scheduler``): the first worker there
    measures the sweep, and ``workers`` says how many there are, if their number cannot be found out.

    After ``time_limit`` seconds the search stops: what is being trained is finished, and retraining follows.

    Everything is checked before anything is written: the database, the sweep against its stored form, the data and the
    model. Raises UserError for what the user can fix, and MachineError if some runs cannot be trained.
    """
    require_executor(executor, scheduler, device)
    checkpoint_every()  # a wrong one is refused before anything is written
    elsewhere = executor != "local"
    stored, url, watcher, extended, left = None, store.absolute(url), watcher or Watcher(), False, None
    if (existing := store.find_storage(url)) is not None:
        with existing:
            stored = store.sweep_row(existing, sweep.name)
            looks = store.looks(existing, sweep.name) if stored is not None else []
    if stored is not None:
        extended = require_extension(sweep, stored, looks)
        left = what_is_left(sweep, stored, looks)
    elif study_exists(url, sweep.name):
        raise UserError(f"{sweep.name}: the database already has an Optuna study of that name; use another name")
    begun = stored["provenance"] if stored is not None else {}  # empty until the first worker elsewhere has measured
    if device == "auto":
        device = "cpu" if elsewhere else begun.get("device", "auto")
    environment = prepare_environment(sweep, data_root, choose_device(device))
    crew = Crew(workers or 1, 1) if elsewhere else choose_crew(sweep, environment, begun or None, workers)
    now = provenance(sweep, environment, crew.width, crew.workers)
    if begun:
        require_same_data(sweep.name, begun, now, elsewhere=elsewhere)
    if stored is None or stored["status"] != "complete" or extended:
        for line in long_warmups(sweep, now["steps_per_epoch"]):
            watcher.note(line)  # before anything is written, since it raises if warnings are errors
    if left is not None:
        watcher.extended(left)
    with (
        store.open_storage(url, create=True) as storage,
        own(storage, sweep.name) as owner,
        open_elsewhere(executor, storage, sweep.name, scheduler, workers, watcher) as remote,
    ):
        # Check again, now behind the lock: another process may have written the sweep in the meantime.
        if (stored := store.sweep_row(storage, sweep.name)) is not None:
            require_extension(sweep, stored, store.looks(storage, sweep.name))
            begun = stored["provenance"]
        with Leaving(LEAVE) as leaving:
            try:
                if remote is not None and not begun:
                    begun = measured(sweep, storage, remote, leaving, owner)
                if begun:
                    require_same_data(sweep.name, begun, now, elsewhere=elsewhere)
                    environment, now = as_begun(environment, begun), begun
                if remote is not None:
                    environment = as_elsewhere(environment, begun)
                deadline = None if time_limit is None else monotonic() + time_limit
                at_once = crew.workers if remote is None or workers is not None else remote.workers
                patient = replace(storage, patience=Pausing(leaving, watcher.trouble))
                driver = _Driver(
                    sweep, patient, environment, now["stack_size"], at_once, watcher, deadline, leaving, owner
                )
                driver.planner.write_search(now)
                return driver.work(data_root, remote)
            except Interrupted:
                raise KeyboardInterrupt from None


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
        leaving: Leaving,
        owner: Owner,
    ) -> None:
        self.sweep, self.storage, self.environment, self.watcher = sweep, storage, environment, watcher
        self.stack_size, self.workers, self.deadline, self.leaving = stack_size, workers, deadline, leaving
        self.owner, self.id = owner, store.sweep_id(sweep.name)
        self.cut = self.begun = False  # whether the time limit ended the search; whether anything is trained
        self.planner = Planner(sweep, storage, environment, stack_size, workers)
        self.dispatch: Dispatch

    def work(self, data_root: Path | None, remote: Executor | None) -> int:
        """Search until a look has the answer, then retrain and replay; returns the number of runs trained.

        The stacks are trained by ``remote``, or on this machine if it is None.
        """
        worker = Worker(self.sweep, self.storage, self.environment, self.stack_size, self.leaving)
        with StudyMirror(
            self.storage,
            self.sweep.name,
            direction=direction(self.sweep),
            spaces=self.planner.proposals.spaces,
            configure=store.configure,
        ) as mirror:
            self.dispatch = Dispatch(
                self.sweep, self.storage, self.environment, self.planner, mirror, self.watcher, self.stack_size
            )
            local = open_executor(worker, data_root, self.workers, self.dispatch.listen)
            with local if remote is None else nullcontext(remote) as self.dispatch.executor:
                self.dispatch.reconcile()
                left = [run.stack for phase in ("search", *AFTER_SEARCH) for run in self.planner.pending(phase)]
                store.drop_checkpoints(self.storage, self.id, [stack for stack in left if stack is not None])
                trained = self._search()
                self.planner.write_confirm()
                # The choosing runs say which configurations are trained on further seeds.
                while more := sum(map(self._train_phase, AFTER_SEARCH)):
                    trained += more
                    self.planner.write_confirm()
        store.drop_checkpoints(self.storage, self.id)
        store.update_sweep(self.storage, self.sweep.name, status="stopped" if self.cut else "complete")
        if self.begun:
            self.watcher.end()
        return trained

    def _search(self) -> int:
        trained = self._train_phase("search")
        waves = self.planner.write_waves()
        while not self.cut and next(waves, self) is not self:
            trained += self._train_phase("search")
        while not self.cut and (shown := self.planner.look()) is not None:
            self.watcher.look(shown)
            trained += self._train_phase("search")
        return trained

    def _announce(self, phase: str) -> None:
        """Tell the watcher how much is trained next."""
        updates = self.planner.updates(phase)
        if self.begun:
            # An adaptive sweep's first wave has announced its open trials, so all the others.
            if not (phase == "search" and shares_slots(self.sweep)):
                self.watcher.more(updates)
            return
        self.begun = True
        store.update_sweep(self.storage, self.sweep.name, status="running")
        self.watcher.begin(self.sweep.name, updates, self.stack_size * self.workers, self.environment.device.type)

    def _train_phase(self, phase: str) -> int:
        todo = stacks.members(self.planner.pending(phase))
        tally = Tally(self.planner.arms, self.sweep.task.metric, self.environment.chance)
        open_slots = self.planner.open_slots() if phase == "search" else 0
        tally.plan((run for run in self.planner.runs(phase) if not run.superseded), open_slots)
        if todo:
            self._announce(phase)
            self.watcher.phase(phase, tally.shares())
        trained = 0
        # A sampler that learns needs the results of one wave for the proposals of the next.
        for _, wave in groupby(todo, key=lambda members: self.planner.wave(members[0])):
            if self.cut and phase == "search":
                break
            for rows in self._train_wave(phase, wave):
                trained += len(rows)
                for run in rows:
                    tally.count(run.strategy, run)
                self.watcher.phase(phase, tally.shares())
        return trained

    def _train_wave(self, phase: str, wave: Iterator[list[RunRow]]) -> Iterator[list[RunRow]]:
        """Train stacks that do not depend on each other, as many at once as the executor has workers.

        Raises MachineError, once the others are done, if some had to be given up.
        """
        dispatch = self.dispatch
        while True:
            self.leaving.check()
            self.storage.patiently(self.owner.check)
            while not dispatch.executor.full and (members := next(wave, None)) is not None:
                if phase == "search" and self.deadline is not None and monotonic() > self.deadline:
                    self.cut = True
                    break
                dispatch.begin(phase, members)
            if not dispatch.busy:
                break
            yield from dispatch.ended()
        if dispatch.failed:
            what = in_words(dispatch.failed)
            raise MachineError(f"sweep {self.sweep.name}: {what}; run the same command again to continue")
