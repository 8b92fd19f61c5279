"""Having stacks trained: they are offered, looked after, tried again if that fails, and mirrored to the study."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from decaybench import store
from decaybench.errors import MachineError
from decaybench.findings.selection import stopped_after, told
from decaybench.runner.checkpoints import made_with
from decaybench.runner.environment import Environment
from decaybench.runner.executors import Ended, Executor
from decaybench.runner.planner import Planner
from decaybench.runner.progress import Watcher
from decaybench.runner.proposals import ENDED, slot_of
from decaybench.search import Slot, StudyMirror
from decaybench.store import Claim, Mirror, RunRow, Saved, Standing, Storage
from decaybench.sweep import RunParameters, Sweep, resolve

FRUITLESS = 3
"""Attempts in a row without a new epoch after which a stack is not tried again as it is."""
BARREN = 6
"""Attempts in a row that fail for the same reason without a new epoch. Then the fault is not that of single stacks."""
NAMED = 3
"""The most stacks that a message names."""
PROBE_S = 5.0
"""Seconds between two tries whether the database can be written, while others do the writing."""


@dataclass(frozen=True)
class _Going:
    """A stack that is being trained, in this attempt.

    Epochs are summed over its runs: ``shown`` have been reported to the watcher, and ``reached`` is the most that an
    earlier attempt has written. ``fruitless`` counts the attempts in a row that failed without going beyond that.
    """

    claim: Claim
    members: list[RunRow]
    shown: int = 0
    reached: int = 0
    fruitless: int = 0


class Dispatch:
    """Has the stacks of one sweep trained by an executor. The database says how they stand."""

    def __init__(
        self,
        sweep: Sweep,
        storage: Storage,
        environment: Environment,
        planner: Planner,
        mirror: StudyMirror,
        watcher: Watcher,
        width: int,
    ) -> None:
        self._sweep, self._storage, self._environment = sweep, storage, environment
        self._planner, self._mirror, self._watcher = planner, mirror, watcher
        self._id, self._width = store.sweep_id(sweep.name), width
        self._going: dict[int, _Going] = {}
        self._late: dict[Claim, float] = {}  # since when the leases of attempts have been seen to be over
        self._barren: list[str] = []  # the reasons of the last attempts that failed without a new epoch
        self._probed = time.monotonic()
        self.executor: Executor
        self.failed: list[tuple[str, str]] = []
        """The stacks that were given up: their runs in words, and why."""

    def begin(self, phase: str, members: list[RunRow]) -> None:
        """Have a stack trained: mirror its trials, and offer it to the executor."""
        numbers: Mapping[str, int] = {}
        if phase == "search":
            values = self._values(members)
            params = {run.id: self._resolved(run, values[run.id]).params for run in members}
            numbers = self._mirror.begin({slot_of(run): values[run.id] for run in members})
        else:
            params = self._retrained(members)
        self._offer(members, [Mirror(run.id, numbers.get(run.id), params[run.id]) for run in members])

    def ended(self) -> Iterator[list[RunRow]]:
        """Wait a little, and yield the rows of each stack that has its results now. Lost ones are tried again."""
        over = {each.claim: each for each in self.executor.finished()}
        if time.monotonic() - self._probed > PROBE_S:
            store.probe(self._storage)  # workers wait silently
            self._probed = time.monotonic()
        self.listen()
        for stack, standing in store.standings(self._storage, self._id, self._going).items():
            going = self._going[stack]
            if standing.attempt != going.claim.attempt:  # another driver's: this one has lost the right to the sweep
                continue
            if standing.state == "done":
                yield self._finish(going)
            elif standing.state == "ended":
                self._try_again(going, standing.reason)
            elif (
                (why := self._lost(going.claim, standing, over.get(going.claim))) is not None
                # Unless it has ended in the meantime, which the next call will see.
                and store.end_attempt(self._storage, going.claim, "lost", why)
            ):
                self._try_again(going, why)

    @property
    def busy(self) -> bool:
        """Whether any stack is being trained."""
        return bool(self._going)

    def listen(self) -> None:
        """Tell the watcher how much has been trained since the last time."""
        for stack, epochs in store.epochs_done(self._storage, self._id, list(self._going)).items():
            self._show(stack, epochs)

    def reconcile(self) -> None:
        """Bring the study in line with our tables, whatever state a crash left it in."""
        done = {run.id: run for run in self._planner.runs("search") if run.outcome in ENDED}

        def propose(slot: Slot) -> dict[str, Any]:
            return self._values([done[slot.run_id]])[slot.run_id]

        results = {run.id: (slot_of(run), self._told(run)) for run in done.values()}
        rungs = {run.id: rung for run in done.values() if (rung := stopped_after(run)) is not None}
        numbers = self._mirror.reconcile(results, propose, rungs)
        other = [run for run in done.values() if run.trial_number != numbers[run.id]]
        store.set_mirror(self._storage, [Mirror(run.id, numbers[run.id], run.params or {}) for run in other])

    def _lost(self, claim: Claim, standing: Standing, over: Ended | None) -> str | None:
        """How an attempt was lost; None if it may still be going on.

        One that is over for its executor may be held by a worker that the executor has lost from sight. A lease that is
        over gets the time of one renewal more, since this machine or the database may just have woken up.
        """
        if over is not None and over.lost is not None:
            return over.lost
        if not standing.expired or self._paused():
            self._late.pop(claim, None)
        elif time.monotonic() - self._late.setdefault(claim, time.monotonic()) > store.RENEW_S:
            return f"its worker has not renewed its lease for {store.LEASE_S:.0f} s"
        return "no worker has begun with it" if over is not None and standing.state == "offered" else None

    def _paused(self) -> bool:
        """Whether workers may not have renewed their leases yet, because the database was unavailable."""
        patience = self._storage.patience
        return patience is not None and time.monotonic() - patience.last < store.LEASE_S

    def _offer(
        self,
        members: list[RunRow],
        mirrors: Sequence[Mirror],
        *,
        width: int | None = None,
        shown: int = 0,
        reached: int = 0,
        fruitless: int = 0,
    ) -> None:
        stack, kept = _number(members), 0
        if (saved := store.last_checkpoint(self._storage, self._id, stack)) is not None:
            if saved.data is not None and saved.made_with == made_with(self._environment):
                kept = saved.epochs
            else:
                self._watcher.trouble(f"stack {stack} begins anew: its checkpoint is {_unusable(saved)}")
                store.drop_checkpoint(self._storage, self._id, stack)
        claim = store.offer(
            self._storage,
            self._id,
            stack,
            mirrors,
            device=self._environment.device.type,
            precision=self._sweep.task.precision,
            width=width,
            kept=kept,
            public=self.executor.public,
        )
        self._going[stack] = _Going(claim, members, shown, reached, fruitless)
        if kept and (epochs := store.epochs_done(self._storage, self._id, [stack]).get(stack, 0)) > shown:
            # They were announced with all that is left to train, but have been trained.
            self._watcher.more(-self._updates(members, epochs - shown))
            self._going[stack] = replace(self._going[stack], shown=epochs)
        self.executor.start(claim)

    def _finish(self, going: _Going) -> list[RunRow]:
        """Close the stack's trials in the study, now that its results are in our tables."""
        rows = store.some_runs(self._storage, [run.id for run in going.members])
        self._barren.clear()
        self._show(going.claim.stack, sum(self._planner.size(run.length).epochs for run in rows))
        del self._going[going.claim.stack]
        trials = {run.trial_number: run for run in rows if run.trial_number is not None}
        rungs = {number: rung for number, run in trials.items() if (rung := stopped_after(run)) is not None}
        self._mirror.tell({number: self._told(run) for number, run in trials.items()}, rungs)
        return rows

    def _try_again(self, going: _Going, why: str | None) -> None:
        """Offer a stack again after an attempt that failed: as it is, then at half the width, then in halves.

        A stack whose worker was asked to leave (``why`` is None) is offered as it is.
        """
        stack, members = going.claim.stack, going.members
        epochs = store.epochs_done(self._storage, self._id, [stack]).get(stack, 0)
        fruitless = going.fruitless if why is None else 0 if epochs > going.reached else going.fruitless + 1
        self._require_hope(why, new=epochs > going.reached)
        history = {"shown": going.shown, "reached": max(epochs, going.reached), "fruitless": fruitless}
        rows = store.some_runs(self._storage, [run.id for run in members])
        mirrors = {run.id: Mirror(run.id, run.trial_number, run.params or {}) for run in rows}
        del self._going[stack]
        if fruitless < FRUITLESS:
            width = max(2, self._width // 2) if fruitless == FRUITLESS - 1 and self._width > 1 else None
            if why is not None:
                self._watcher.trouble(f"stack {stack} failed ({why}); it is tried again")
            self._offer(members, list(mirrors.values()), width=width, **history)
        elif halves := self._planner.halve(members):
            assert why is not None  # an attempt was fruitless
            self._watcher.trouble(f"stack {stack} failed ({why}); it is tried again in two halves")
            self._watcher.more(self._updates(members, going.shown))  # all of it is trained and shown again
            for half in halves:
                # The attempts at the whole count for them too: one more without a new epoch, and they are halved again.
                self._offer(half, [mirrors[run.id] for run in half], fruitless=FRUITLESS - 1)
        else:
            assert why is not None
            store.give_up(self._storage, going.claim, why)
            self._mirror.fail([run.trial_number for run in rows if run.trial_number is not None])
            self.failed.append((called(members), why))

    def _require_hope(self, why: str | None, *, new: bool) -> None:
        """Raise MachineError if attempts at whatever stacks go on failing for this one reason, without a new epoch."""
        if new or why is None or why not in self._barren[-1:]:
            self._barren.clear()
        if why is not None and not new:
            self._barren.append(why)
        if len(self._barren) >= BARREN:
            raise MachineError(
                f"sweep {self._sweep.name}: {why}, {BARREN} times in a row; run the same command again to continue"
            )

    def _show(self, stack: int, epochs: int) -> None:
        going = self._going[stack]
        if epochs > going.shown:  # an attempt that begins anew shows nothing until it is further than the last one
            self._watcher.advance(self._updates(going.members, epochs - going.shown))
            self._going[stack] = replace(going, shown=epochs)

    def _updates(self, members: Sequence[RunRow], epochs: int) -> int:
        return epochs * self._planner.size(members[0].length).steps_per_epoch

    def _told(self, run: RunRow) -> float:
        return told(run, self._sweep.task.metric, self._environment.chance)

    def _values(self, runs: Sequence[RunRow]) -> dict[str, dict[str, Any]]:
        proposals = self._planner.proposals
        return proposals.values(runs, self._planner.runs("search") if proposals.learns else [])

    def _resolved(self, run: RunRow, values: Mapping[str, Any]) -> RunParameters:
        of = self._planner.size(run.length)
        arm = self._planner.arms[run.strategy]
        return resolve(arm, values, total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch)

    def _retrained(self, members: list[RunRow]) -> dict[str, dict[str, Any]]:
        """The parameters of confirm and replay runs: those of the trials whose configurations they retrain."""
        trials = {(run.strategy, run.repeat, run.slot, run.length): run for run in self._planner.runs("search")}
        return {run.id: trials[run.strategy, run.repeat, run.slot, run.length].params or {} for run in members}


def _number(members: Sequence[RunRow]) -> int:
    """The number of the stack of these runs."""
    number = members[0].stack
    assert number is not None  # every planned run has one
    return number


def _unusable(saved: Saved) -> str:
    return "damaged" if saved.data is None else f"of another version ({saved.made_with})"


def in_words(failed: Sequence[tuple[str, str]]) -> str:
    """The stacks that were given up, the first ones by name."""
    said = [f"{runs} failed: {why}" for runs, why in failed[:NAMED]]
    more = len(failed) - NAMED
    return "; ".join([*said, *([f"and so did {more} more stacks"] if more > 0 else [])])


def called(runs: Sequence[RunRow]) -> str:
    """The runs of a stack by name: ``search of cosine, repeat 0, trial 3, seed 17; ...``."""
    named = [f"{run.phase} of {run.strategy}, repeat {run.repeat}, trial {run.slot}, seed {run.seed}" for run in runs]
    return "; ".join(named)
