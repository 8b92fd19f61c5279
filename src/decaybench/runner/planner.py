"""The stored plan: the rows of a sweep, those that are missing, and the stacks in which they are trained."""

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

from decaybench import store
from decaybench.findings.selection import Winners, slots, winners
from decaybench.runner import stacks
from decaybench.runner.environment import Environment
from decaybench.runner.proposals import ENDED, Place, Proposals
from decaybench.shared import SHARED
from decaybench.store import NewRun, RunRow, Storage
from decaybench.sweep import (
    Arm,
    PlannedRun,
    Size,
    Sweep,
    all_slots,
    arms,
    batch_of,
    plan_confirm,
    plan_replay,
    plan_search,
    prune_group,
    replays_each,
    rung,
    shares_slots,
    size,
    spec_hash,
)
from decaybench.training import OptimizerForm

AFTER_SEARCH = ("confirm", "replay")


class Planner:
    """Writes a sweep's rows and numbers its stacks. A step that was killed writes the same when it is repeated."""

    def __init__(self, sweep: Sweep, storage: Storage, environment: Environment, stack_size: int, workers: int) -> None:
        self._sweep, self._storage, self._environment = sweep, storage, environment
        self._stack_size, self._workers = stack_size, workers
        self._adaptive = shares_slots(sweep)
        self.arms: dict[str, Arm] = {arm.label: arm for arm in arms(sweep)}
        self.proposals = Proposals(sweep, self.arms, environment.chance, self.size)

    def write_search(self, provenance: dict[str, Any]) -> None:
        """Write the sweep and its search runs; if the sweep exists already, only what was added to it.

        The runs of an adaptive sweep are written by ``write_waves``, since their strategies are not known yet.
        """
        name, spec, planned = self._sweep.name, self._sweep.spec(), _new(plan_search(self._sweep))
        if store.sweep_row(self._storage, name) is None:
            store.create_sweep(
                self._storage,
                name=name,
                question=self._sweep.question,
                spec=spec,
                spec_hash=spec_hash(spec),
                provenance=provenance,
                runs=planned,
            )
        else:
            # The status first: a kill in between must not leave a complete sweep with runs to train.
            store.update_sweep(self._storage, name, question=self._sweep.question, spec=spec, status="running")
            store.add_runs(self._storage, name, planned)
        self._assign_stacks(plan_search(self._sweep, self._chosen()))

    def write_waves(self) -> Iterator[None]:
        """Write an adaptive sweep's runs wave by wave, each wave one batch of every repeat; yield after each.

        The strategies of a wave are chosen from earlier results when it is written, so the caller must train it before
        it asks for the next. Other sweeps have no waves.
        """
        waves: dict[tuple[float, int], list[Place]] = {}
        for place in self._open_places():
            waves.setdefault((place[2], batch_of(self._sweep, place[1])), []).append(place)
        for places in waves.values():
            planned = plan_search(self._sweep, self.proposals.strategies(places, self.runs("search")))
            store.add_runs(self._storage, self._sweep.name, _new(planned))
            self._assign_stacks(planned)
            yield

    def write_confirm(self) -> None:
        """Write the confirm and replay runs of the best trials; mark those of trials that no longer are superseded."""
        chosen = slots(self.winners())
        planned = (*plan_confirm(self._sweep, chosen), *plan_replay(self._sweep, chosen))
        store.add_runs(self._storage, self._sweep.name, _new(planned))
        wanted = {run.id: run.replay_of for run in planned}
        rows = [*self.runs("confirm"), *self.runs("replay")]
        lost = [run.id for run in rows if run.id not in wanted and not run.superseded]
        won = [run.id for run in rows if run.id in wanted and run.superseded]
        store.supersede(self._storage, lost)
        store.supersede(self._storage, won, superseded=False)
        # With more confirm seeds, the first seed uses the learning rates of another seed: replay it again.
        moved = {run.id: wanted[run.id] for run in rows if run.replay_of != wanted.get(run.id, run.replay_of)}
        store.replay_other(self._storage, moved)
        self._assign_stacks(planned)

    def winners(self) -> Winners:
        """The trials to retrain: the best per strategy, repeat and length; of all strategies, if they share trials."""
        chance = self._environment.chance
        return winners(self.runs("search"), self._sweep.task.metric, chance, overall=self._adaptive)

    def updates_left(self) -> int:
        """Updates of all runs still to be trained, including confirm runs whose best trials are not known yet."""
        budget = self._sweep.budget
        ended = Counter(run.length for run in self.runs("search") if run.outcome in ENDED)
        after = [*self.runs("confirm"), *self.runs("replay")]
        confirmed = Counter(run.length for run in after if run.outcome in ENDED and not run.superseded)
        search = all_slots(self._sweep) * budget.repeats
        if any(ended[length] < search for length in budget.lengths):
            confirm = (1 if self._adaptive else len(self.arms)) * budget.repeats * budget.confirm_seeds
            confirm += sum(replays_each(self._sweep).values()) * budget.repeats
            left = {n: search - ended[n] + max(confirm - confirmed[n], 0) for n in budget.lengths}
            return sum(runs * self.size(n).total_steps for n, runs in left.items())
        self.write_confirm()
        return sum(self.size(run.length).total_steps for phase in AFTER_SEARCH for run in self.pending(phase))

    def open_slots(self) -> int:
        """Trials of an adaptive sweep that have no strategy yet."""
        return sum(1 for _ in self._open_places())

    def runs(self, phase: str) -> list[RunRow]:
        """The rows of a phase."""
        return store.runs(self._storage, self._sweep.name, phase=phase)

    def pending(self, phase: str) -> list[RunRow]:
        """The rows that are still to be trained."""
        return store.pending_runs(self._storage, self._sweep.name, phase=phase)

    def size(self, length: float) -> Size:
        """The length of a run in updates and epochs."""
        return size(self._sweep, len(self._environment.data.train), length)

    def form(self, run: RunRow) -> OptimizerForm:
        """The part of a run's optimizer that changes the arithmetic."""
        arm = self.arms[run.strategy]
        return OptimizerForm(arm.optimizer, arm.nesterov, arm.velocity)

    def _assign_stacks(self, planned: tuple[PlannedRun, ...]) -> None:
        """Group the runs that have no stack yet. Every wave has its own stacks, numbered after all earlier ones."""
        rows = {run.id: run for run in store.runs(self._storage, self._sweep.name)}
        first = 1 + max((run.stack for run in rows.values() if run.stack is not None), default=-1)
        free = sorted((rows[run.id] for run in planned if rows[run.id].stack is None), key=self.wave)
        members = [stacks.Member(run, (run.phase, self.wave(run), self.form(run)), self._family(run)) for run in free]
        store.set_stacks(self._storage, stacks.group(members, first, self._stack_size, self._workers))

    def wave(self, run: RunRow) -> tuple[int, int]:
        """A sort key: runs of different waves are not trained together, and later waves follow earlier ones.

        With a sampler that learns, each length and batch of the search is a wave; otherwise the whole search is one.
        Confirm and replay runs have one wave per length, since a stack reads the test split at its end.
        """
        if run.phase == "search" and not self.proposals.learns:
            return 0, 0
        batch = batch_of(self._sweep, run.slot) if run.phase == "search" else 0
        return self._sweep.budget.lengths.index(run.length), batch

    def _family(self, run: RunRow) -> Hashable:
        """A key for runs that may begin alike: those with one seed and the same shared parameters.

        Trials are paired, so shared parameters agree if their ranges do. If runs may be pruned, the key is their group,
        since the runs that are compared at a rung must be trained together.
        """
        if run.phase in AFTER_SEARCH:
            return run.phase, run.repeat, run.seed
        if rung(self._sweep, run.length) is not None:
            return prune_group(self._sweep, run.strategy, run.repeat, run.length, run.slot)
        arm = self.arms[run.strategy]
        return run.repeat, run.slot, *(getattr(arm, shared.name) for shared in SHARED)

    def _chosen(self) -> dict[Place, str]:
        """The strategies of an adaptive sweep's trials that have been chosen so far."""
        if not self._adaptive:
            return {}
        return {(run.repeat, run.slot, run.length): run.strategy for run in self.runs("search")}

    def _open_places(self) -> Iterator[Place]:
        """The trials of an adaptive sweep that have no strategy yet, ordered by length, trial and repeat."""
        if not self._adaptive:
            return
        chosen = self._chosen()
        for length in self._sweep.budget.lengths:
            for slot in range(all_slots(self._sweep)):
                for repeat in range(self._sweep.budget.repeats):
                    if (repeat, slot, length) not in chosen:
                        yield repeat, slot, length


def _new(planned: tuple[PlannedRun, ...]) -> list[NewRun]:
    return [NewRun(**vars(run)) for run in planned]
