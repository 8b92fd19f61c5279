"""From a sweep to its results: plan, train what is missing, confirm the winners. Every step can be killed and taken up
again.
"""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from decaybench import store
from decaybench.errors import UserError
from decaybench.runner import stacks
from decaybench.runner.choose import Tally, slots, told, winners
from decaybench.runner.environment import (
    Environment,
    choose_device,
    prepare_environment,
    provenance,
    require_same_data,
)
from decaybench.runner.progress import Watcher
from decaybench.runner.worker import Stack, failed, train_stack
from decaybench.search import BalancedSampler, Slot, StudyMirror
from decaybench.store import Mirror, NewRun, RunResult, RunRow, Storage
from decaybench.sweep import (
    PlannedRun,
    RunParameters,
    Size,
    Sweep,
    arms,
    extends,
    from_params,
    plan_confirm,
    plan_search,
    resolve,
    size,
    spec_hash,
)
from decaybench.training import OptimizerForm


def run_sweep(
    sweep: Sweep,
    *,
    url: str,
    data_root: Path | None,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> int:
    """Train what is missing of a sweep, search then confirm; returns how many runs were trained.

    Everything is checked before anything is written: the database, the sweep against its former self, data and model.
    Raises UserError for what a person can mend.
    """
    stored = None
    if (existing := store.find_storage(url)) is not None:
        with existing:
            stored = store.sweep_row(existing, sweep.name)
    if stored is not None:
        extends(stored["spec"], sweep.spec())
        device = stored["provenance"]["device"] if device == "auto" else device
    environment = prepare_environment(sweep, data_root, choose_device(device))
    now = provenance(sweep, environment)
    if stored is not None:
        require_same_data(sweep.name, stored["provenance"], now)
        now = stored["provenance"]
    with store.open_storage(url, create=True) as storage, _alone(storage, sweep.name):
        driver = _Driver(sweep, storage, environment, now["stack_size"], watcher or Watcher())
        driver.write_plan(now)
        return driver.work()


def _alone(storage: Storage, name: str) -> BaseFileLock:
    """The right to train a sweep, one process at a time. The system lets go of it when the process dies."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "decaybench" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{storage.where} {name}".encode()).hexdigest()[:32]
    lock = FileLock(str(folder / f"{key}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"sweep {name} is being run on {storage.where} by another process") from None
    return lock


class _Driver:
    def __init__(
        self, sweep: Sweep, storage: Storage, environment: Environment, stack_size: int, watcher: Watcher
    ) -> None:
        self.sweep, self.storage, self.environment, self.watcher = sweep, storage, environment, watcher
        self.stack_size = stack_size
        self.arms = {arm.label: arm for arm in arms(sweep)}
        self.metric = sweep.task.metric
        self.mirror: StudyMirror

    def write_plan(self, provenance: dict[str, Any]) -> None:
        """Write the sweep and its search runs; of a sweep that is there already, what was added to it."""
        spec = self.sweep.spec()
        planned = [_new(run) for run in plan_search(self.sweep)]
        if store.sweep_row(self.storage, self.sweep.name) is None:
            store.create_sweep(
                self.storage,
                name=self.sweep.name,
                question=self.sweep.question,
                spec=spec,
                spec_hash=spec_hash(spec),
                provenance=provenance,
                runs=planned,
            )
        else:
            store.add_runs(self.storage, self.sweep.name, planned)
            store.update_sweep(self.storage, self.sweep.name, question=self.sweep.question, spec=spec)
        self._assign_stacks(plan_search(self.sweep))

    def work(self) -> int:
        """Search, then confirm; returns the number of runs trained."""
        spaces = {label: arm.space for label, arm in self.arms.items()}
        with StudyMirror(
            self.storage.url,
            self.sweep.name,
            direction="maximize" if self.metric == "accuracy" else "minimize",
            spaces=spaces,
            sampler=BalancedSampler(spaces, self.sweep.search.seed),
            configure=store.configure,
        ) as self.mirror:
            self._reconcile()
            if updates := self._updates_left():
                store.update_sweep(self.storage, self.sweep.name, status="running")
                self.watcher.begin(self.sweep.name, updates, self.stack_size, self.environment.device.type)
            trained = self._train_phase("search")
            self._plan_confirm()
            trained += self._train_phase("confirm")
        store.update_sweep(self.storage, self.sweep.name, status="complete")
        if updates:
            self.watcher.end()
        return trained

    # -- the plan

    def _assign_stacks(self, planned: tuple[PlannedRun, ...]) -> None:
        rows = {run.id: run for run in store.runs(self.storage, self.sweep.name)}
        first = 1 + max((run.stack for run in rows.values() if run.stack is not None), default=-1)
        free = [rows[run.id] for run in planned if rows[run.id].stack is None]
        kinds = [(run, (run.length, self._form(run))) for run in free]
        store.set_stacks(self.storage, stacks.group(kinds, first, self.stack_size))

    def _plan_confirm(self) -> None:
        """Write the confirm runs of the winners; those of a former winner stay, marked superseded."""
        planned = plan_confirm(self.sweep, slots(self._winners()))
        store.add_runs(self.storage, self.sweep.name, [_new(run) for run in planned])
        wanted = {run.id for run in planned}
        rows = self._runs("confirm")
        lost = [run.id for run in rows if run.id not in wanted and not run.superseded]
        won = [run.id for run in rows if run.id in wanted and run.superseded]
        store.supersede(self.storage, lost)
        store.supersede(self.storage, won, superseded=False)
        self._assign_stacks(planned)

    def _winners(self) -> dict[tuple[str, int, float], RunRow]:
        return winners(self._runs("search"), self.metric, self.environment.chance)

    def _updates_left(self) -> int:
        """Updates of all runs still to be trained; confirm runs whose winners are not known yet are counted too."""
        search = self._pending("search")
        left = sum(self._size(run.length).total_steps for run in search)
        if search:
            each = len(self.arms) * self.sweep.budget.repeats * self.sweep.budget.confirm_seeds
            return left + each * sum(self._size(length).total_steps for length in self.sweep.budget.lengths)
        self._plan_confirm()
        return sum(self._size(run.length).total_steps for run in self._pending("confirm"))

    # -- training

    def _train_phase(self, phase: str) -> int:
        todo = stacks.members(self._pending(phase))
        tally = Tally(self.arms, self.metric, self.environment.chance)
        tally.plan(run for run in self._runs(phase) if not run.superseded)
        if todo:
            self.watcher.phase(phase, tally.shares())
        for members in todo:
            results = self._train(phase, members)
            for run, result in zip(members, results, strict=True):
                tally.count(run.strategy, result)
            self.watcher.phase(phase, tally.shares())
        return sum(len(members) for members in todo)

    def _train(self, phase: str, members: list[RunRow]) -> list[RunResult]:
        searching = phase == "search"
        parameters = self._search_parameters(members) if searching else self._won_parameters(members)
        numbers = self.mirror.begin([_slot(run) for run in members]) if searching else {}
        ids = [run.id for run in members]
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
        stack = Stack(
            members,
            [parameters[run_id] for run_id in ids],
            self._form(members[0]),
            self._size(members[0].length),
        )
        try:
            results = train_stack(
                self.storage, self.sweep.task, stack, self.environment, self.watcher, read_test=not searching
            )
        except Exception:  # the machine's fault (memory, a driver): kept as failed, and retried by the next run
            store.finish_runs(self.storage, [failed(run) for run in store.some_runs(self.storage, ids)])
            self.mirror.fail(numbers.values())
            raise
        worth = {result.run_id: told(result, self.metric, self.environment.chance) for result in results}
        self.mirror.tell({number: worth[run_id] for run_id, number in numbers.items()})
        return results

    def _search_parameters(self, members: list[RunRow]) -> dict[str, RunParameters]:
        found = {}
        for run in members:
            of = self._size(run.length)
            found[run.id] = resolve(
                self.arms[run.strategy],
                self.mirror.propose(_slot(run)),
                total_steps=of.total_steps,
                steps_per_epoch=of.steps_per_epoch,
            )
        return found

    def _won_parameters(self, members: list[RunRow]) -> dict[str, RunParameters]:
        won = {key: run.params or {} for key, run in self._winners().items()}
        return {
            run.id: from_params(self.arms[run.strategy], won[run.strategy, run.repeat, run.length]) for run in members
        }

    def _reconcile(self) -> None:
        """Make the study say what our tables say, whatever a crash left in it."""
        done = [run for run in self._runs("search") if run.outcome in ("finished", "diverged")]
        chance = self.environment.chance
        new = self.mirror.reconcile({run.id: (_slot(run), told(run, self.metric, chance)) for run in done})
        store.set_mirror(self.storage, [Mirror(run.id, new[run.id], run.params or {}) for run in done if run.id in new])

    # -- reading

    def _runs(self, phase: str) -> list[RunRow]:
        return store.runs(self.storage, self.sweep.name, phase=phase)

    def _pending(self, phase: str) -> list[RunRow]:
        return store.pending_runs(self.storage, self.sweep.name, phase=phase)

    def _size(self, length: float) -> Size:
        return size(self.sweep, len(self.environment.data.train), length)

    def _form(self, run: RunRow) -> OptimizerForm:
        arm = self.arms[run.strategy]
        return OptimizerForm(arm.optimizer, arm.nesterov, arm.velocity)


def _new(run: PlannedRun) -> NewRun:
    return NewRun(run.id, run.phase, run.strategy, run.repeat, run.slot, run.length, run.seed)


def _slot(run: RunRow) -> Slot:
    return Slot(run.id, run.strategy, run.repeat, run.slot, run.length, run.seed)
