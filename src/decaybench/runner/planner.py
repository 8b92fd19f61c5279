"""The stored plan: the rows of a sweep, those that are missing, and the stacks in which they are trained."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from decaybench import store
from decaybench.findings import Summary
from decaybench.findings.plan import look_rows, retrained, step, summary_at, wanted
from decaybench.runner import stacks
from decaybench.runner.environment import Environment
from decaybench.runner.proposals import Place, Proposals
from decaybench.shared import SHARED
from decaybench.store import LookRow, NewRun, RunRow, Storage
from decaybench.sweep import (
    Arm,
    PlannedRun,
    Size,
    Sweep,
    all_slots,
    arms,
    batch_of,
    plan_search,
    prune_group,
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
        """Write the sweep and the search runs of its next step; if the sweep exists already, only what was added to it.

        The runs of an adaptive sweep are written by ``write_waves``, since their strategies are not known yet.
        """
        name = self._sweep.name
        if store.sweep_row(self._storage, name) is None:
            planned = write_sweep(self._sweep, self._storage, provenance)
        else:
            store.set_provenance(self._storage, name, provenance)  # of a sweep that no worker has measured
            # The status first: a kill between the two must not leave a complete sweep with runs to train.
            store.update_sweep(
                self._storage, name, question=self._sweep.question, spec=self._sweep.spec(), status="running"
            )
            self._look_again()
            planned = plan_search(self._sweep, wanted(self._sweep, self._looks()), self._chosen())
            store.add_runs(self._storage, name, _new(planned))
            # A lower `to`, another until or rope take repeats out of a step that is being trained, or bring them back.
            self._supersede(self.runs("search"), planned)
        self._assign_stacks(planned)

    def write_waves(self) -> Iterator[None]:
        """Write an adaptive sweep's runs in waves: one batch of every repeat at a time. Other sweeps have no waves.

        The strategies of a batch are chosen when it is written, so each wave must be trained before the next.
        """
        waves: dict[tuple[float, int], list[Place]] = {}
        for place in self._open_places():
            waves.setdefault((place[2], batch_of(self._sweep, place[1])), []).append(place)
        for places in waves.values():
            strategies = self.proposals.strategies(places, self.runs("search"))
            planned = plan_search(self._sweep, {}, strategies)
            store.add_runs(self._storage, self._sweep.name, _new(planned))
            self._assign_stacks(planned)
            yield

    def look(self) -> Summary | None:
        """Take the look that is due now that a step is trained, and write what is trained next.

        The look is written in one transaction before its consequences: a process that is killed in between writes the
        same rows again. Returns what it showed; None if no look is due, since a repeat is not closed, there are
        estimates only, or the search is over.
        """
        looks = self._looks()
        if self._adaptive or (following := step(self._sweep, looks)) is None:
            return None
        summary = self.summary(following)
        closed = summary.results.closed
        if summary.decisive.decision is None or any(closed[label] < following[label] for label in following):
            return None
        number = looks[-1].step + 1 if looks else 0
        store.write_look(self._storage, look_rows(summary, number, store.sweep_id(self._sweep.name)))
        planned = plan_search(self._sweep, wanted(self._sweep, self._looks()))
        store.add_runs(self._storage, self._sweep.name, _new(planned))
        self._supersede(self.runs("search"), planned)
        self._assign_stacks(planned)
        return summary

    def summary(self, at: Mapping[str, int] | None = None) -> Summary:
        """What the sweep shows at its last look, or ``at`` so many repeats of each strategy; without curves."""
        row = store.sweep_row(self._storage, self._sweep.name)
        assert row is not None
        return summary_at(row, store.runs(self._storage, self._sweep.name), self._looks(), at)

    def write_confirm(self) -> None:
        """Write the confirm and replay runs that follow from the last look, as far as they are known.

        Which configuration is retrained on further seeds is known once the choosing runs are done. Runs of
        configurations that are no longer retrained stay, marked superseded.
        """
        planned = retrained(self._sweep, self.summary())
        store.add_runs(self._storage, self._sweep.name, _new(planned))
        wanted = {run.id: run.replay_of for run in planned}
        rows = [*self.runs("confirm"), *self.runs("replay")]
        if self._supersede(rows, planned):
            self.write_confirm()  # what counts again may have chosen a configuration long ago
            return
        # With more seeds the first one uses another one's learning rates: it is replayed again.
        moved = {run.id: wanted[run.id] for run in rows if run.replay_of != wanted.get(run.id, run.replay_of)}
        store.replay_other(self._storage, moved)
        for stack in {run.stack for run in rows if run.id in moved and run.stack is not None}:
            store.drop_checkpoint(self._storage, store.sweep_id(self._sweep.name), stack)  # it has their epochs
        self._assign_stacks(planned)

    def updates(self, phase: str) -> int:
        """Updates of the phase's runs that are still to be trained, an adaptive sweep's open trials included."""
        left = sum(self.size(run.length).total_steps for run in self.pending(phase))
        if phase == "search":
            left += sum(self.size(length).total_steps for _, _, length in self._open_places())
        return left

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
        """The settings of a run that change the arithmetic."""
        return self.arms[run.strategy].form

    def _assign_stacks(self, planned: tuple[PlannedRun, ...]) -> None:
        """Group the runs that have no stack yet. Every wave has its own stacks, numbered after all earlier ones."""
        rows = {run.id: run for run in store.runs(self._storage, self._sweep.name)}
        free = sorted((rows[run.id] for run in planned if rows[run.id].stack is None), key=self.wave)
        members = [stacks.Member(run, (run.phase, self.wave(run), self.form(run)), self._family(run)) for run in free]
        store.set_stacks(self._storage, stacks.group(members, self._free_number(), self._stack_size, self._workers))

    def halve(self, members: Sequence[RunRow]) -> list[list[RunRow]]:
        """Divide a stack into two, cut between families, with numbers of their own; [] if it has one family only."""
        halves = stacks.halve([stacks.Member(run, None, self._family(run)) for run in members])
        first = self._free_number()
        numbers = {run.id: first + place for place, half in enumerate(halves) for run in half}
        store.set_stacks(self._storage, numbers)
        return [[replace(run, stack=numbers[run.id]) for run in half] for half in halves]

    def wave(self, run: RunRow) -> tuple[int, int]:
        """A sort key: runs of different waves are not trained together, and later waves follow earlier ones.

        With a sampler that learns, each length and batch of the search is a wave; otherwise the whole search is one.
        Confirm and replay runs have one wave per length, since a stack reads the test split at its end.
        """
        if run.phase == "search" and not self.proposals.learns:
            return 0, 0
        batch = batch_of(self._sweep, run.slot) if run.phase == "search" else 0
        return self._sweep.budget.lengths.index(run.length), batch

    def _free_number(self) -> int:
        """The lowest number above those of all stacks."""
        numbers = [run.stack for run in store.runs(self._storage, self._sweep.name) if run.stack is not None]
        return 1 + max(numbers, default=-1)

    def _looks(self) -> list[LookRow]:
        return store.looks(self._storage, self._sweep.name)

    def _look_again(self) -> None:
        """Write another look at the same repeats where the file has changed what follows from the last one."""
        if not (looks := self._looks()):
            return
        summary = self.summary()
        if summary.decisive.decision is None:
            return
        now = look_rows(summary, looks[-1].step + 1, store.sweep_id(self._sweep.name))
        before = [look for look in looks if look.step == looks[-1].step]
        if [replace(look, step=0) for look in sorted(now, key=lambda look: look.length)] != [
            replace(look, step=0) for look in before
        ]:
            store.write_look(self._storage, now)

    def _supersede(self, rows: Sequence[RunRow], planned: Sequence[PlannedRun]) -> bool:
        """Mark the rows that are not in the plan (any more), and unmark those that are; whether any was unmarked."""
        wanted = {run.id for run in planned}
        store.supersede(self._storage, [run.id for run in rows if run.id not in wanted and not run.superseded])
        again = [run.id for run in rows if run.id in wanted and run.superseded]
        store.supersede(self._storage, again, superseded=False)
        return bool(again)

    def _family(self, run: RunRow) -> Hashable:
        """A key for runs that may begin alike: those with one seed and the same shared parameters.

        Trials are paired, so shared parameters agree if their ranges do. If runs may be pruned, the key is their group,
        since the runs that are compared at a rung must be trained together.
        """
        if run.phase in AFTER_SEARCH:
            return run.phase, run.seed
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
                for repeat in range(self._sweep.budget.repeats.to):
                    if (repeat, slot, length) not in chosen:
                        yield repeat, slot, length


def write_sweep(sweep: Sweep, storage: Storage, provenance: dict[str, Any]) -> tuple[PlannedRun, ...]:
    """Write a new sweep with the search runs of its first step, without stacks, and return these runs."""
    planned, spec = plan_search(sweep, wanted(sweep, [])), sweep.spec()
    store.create_sweep(
        storage,
        name=sweep.name,
        question=sweep.question,
        spec=spec,
        spec_hash=spec_hash(spec),
        provenance=provenance,
        runs=_new(planned),
    )
    return planned


def _new(planned: tuple[PlannedRun, ...]) -> list[NewRun]:
    return [NewRun(**vars(run)) for run in planned]
