"""The plan: every run that a sweep needs, as a pure function of the sweep and of its best trials so far."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from decaybench.errors import UserError
from decaybench.seeds import derive
from decaybench.sweep.arms import Arm, arms
from decaybench.sweep.model import Sweep

_NAMESPACE: Final = uuid.UUID("8a4c1c0e-5d0b-5f0c-9a57-6f2f0b1f7f31")


@dataclass(frozen=True)
class PlannedRun:
    """One row of the runs table; ``repeat`` and ``slot`` (the trial's index) count from 0.

    ``length`` is a fraction of the epochs. ``replay_of`` is the id of the confirm run whose learning rates a replay
    uses.
    """

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    replay_of: str | None = None


@dataclass(frozen=True)
class Size:
    """How long a run is, in updates and epochs."""

    steps_per_epoch: int
    epochs: int
    total_steps: int


@dataclass(frozen=True)
class LedgerRow:
    """The planned budget of a strategy at one length, over all repeats: its runs by phase, and their updates.

    If the strategies share their trials, it is the budget of all of them together, and ``strategy`` is None.
    """

    strategy: str | None
    length: float
    slots: int
    confirm_seeds: int
    replays: int
    updates: int


def slots(sweep: Sweep, arm: Arm) -> int:
    """Trials of a strategy per repeat and length in a balanced sweep: one if it has nothing to search."""
    return sweep.budget.trials if arm.space else 1


def all_slots(sweep: Sweep) -> int:
    """Trials per repeat and length of all strategies together; an adaptive sweep has ``trials`` times strategies."""
    if shares_slots(sweep):
        return sweep.budget.trials * len(sweep.strategies)
    return sum(slots(sweep, arm) for arm in arms(sweep))


def shares_slots(sweep: Sweep) -> bool:
    """Whether the sampler also chooses each trial's strategy: a search for one good configuration, not a comparison."""
    return sweep.search.allocation == "adaptive"


def batch_of(sweep: Sweep, slot: int) -> int:
    """The batch, from 0, in which a trial is proposed; a sampler that does not learn has only batch 0."""
    return slot // sweep.search.batch if sweep.search.sampler == "tpe" else 0


def plan_search(sweep: Sweep, chosen: Mapping[tuple[int, int, float], str] | None = None) -> tuple[PlannedRun, ...]:
    """Every run of the search, ordered by trial before strategy, so that an interrupted sweep is balanced too.

    A trial has the same seed for every strategy and length, so trials are paired. In an adaptive sweep, only trials
    whose strategy has been ``chosen`` are planned; it maps (repeat, slot, length) to a label.
    """
    if shares_slots(sweep):
        taken = [(length, repeat, slot, label) for (repeat, slot, length), label in (chosen or {}).items()]
        taken.sort(key=lambda run: (sweep.budget.lengths.index(run[0]), *run[1:3]))
    else:
        owned = {arm.label: slots(sweep, arm) for arm in arms(sweep)}
        taken = [
            (length, repeat, slot, label)
            for length in sweep.budget.lengths
            for repeat in range(sweep.budget.repeats)
            for slot in range(max(owned.values()))
            for label in owned
            if slot < owned[label]
        ]
    return tuple(
        _planned(sweep, "search", label, repeat, slot, length, derive(sweep.search.seed, "search", repeat, slot))
        for length, repeat, slot, label in taken
    )


def plan_confirm(sweep: Sweep, winners: Mapping[tuple[str, int, float], int]) -> tuple[PlannedRun, ...]:
    """The runs that retrain the best trials on fresh seeds; ``winners`` maps (strategy, repeat, length) to a slot.

    The seeds are the same for every strategy and length, and differ from those of the search. Raises ValueError for a
    trial that is not part of the sweep.
    """
    lengths, repeats = sweep.budget.lengths, range(sweep.budget.repeats)
    legal = {(label, repeat, length) for label in sweep.strategies for repeat in repeats for length in lengths}
    if stray := set(winners) - legal:
        raise ValueError(f"no such strategy, repeat and length in {sweep.name}: {sorted(stray)}")
    return tuple(
        _planned(
            sweep,
            "confirm",
            label,
            repeat,
            winners[label, repeat, length],
            length,
            derive(sweep.search.seed, "confirm", repeat, fresh),
        )
        for length in lengths
        for repeat in repeats
        for fresh in range(sweep.budget.confirm_seeds)
        for label in sweep.strategies
        if (label, repeat, length) in winners
    )


def plan_replay(sweep: Sweep, winners: Mapping[tuple[str, int, float], int]) -> tuple[PlannedRun, ...]:
    """The replays of reactive strategies' best trials; ``winners`` maps (strategy, repeat, length) to a slot.

    Replays show whether reacting to the run helps, or only the learning rates that it led to. Each confirm seed is
    trained again with the learning rates recorded on the previous seed; the first seed uses those of the last. (With
    its own learning rates, a run would reproduce itself.) There are no replays with only one confirm seed, and none if
    the strategies share their trials, since then nothing is compared.
    """
    replayed = replays_each(sweep)
    groups: dict[tuple[str, int, float], list[PlannedRun]] = {}
    for run in plan_confirm(sweep, {key: slot for key, slot in winners.items() if replayed[key[0]]}):
        groups.setdefault((run.strategy, run.repeat, run.length), []).append(run)
    return tuple(
        _planned(sweep, "replay", run.strategy, run.repeat, run.slot, run.length, run.seed, group[i - 1].id)
        for group in groups.values()
        for i, run in enumerate(group)
    )


def replays_each(sweep: Sweep) -> dict[str, int]:
    """The number of replays of each strategy per repeat and length: one per confirm seed if it is reactive, or none."""
    seeds = sweep.budget.confirm_seeds
    any_at_all = seeds > 1 and not shares_slots(sweep)
    return {arm.label: seeds if any_at_all and arm.family == "reactive" else 0 for arm in arms(sweep)}


def size(sweep: Sweep, train_examples: int, length: float) -> Size:
    """The length of a run on ``train_examples`` examples; an epoch's last partial batch is dropped.

    Raises UserError if the batch is larger than the training split.
    """
    batch = sweep.task.batch_size
    if batch == "full":
        steps_per_epoch = 1
    elif batch > train_examples:
        rule = f"must be <= the {train_examples} examples of the training split"
        raise UserError(f"task.batch_size: {rule}, got {batch}")
    else:
        steps_per_epoch = train_examples // batch
    epochs = sweep.epochs(length)
    return Size(steps_per_epoch, epochs, steps_per_epoch * epochs)


def ledger(sweep: Sweep, steps_per_epoch: int) -> tuple[LedgerRow, ...]:
    """The planned budget of each strategy, in file order, at each length; one row per length if they share trials."""
    repeats = sweep.budget.repeats
    confirm, replayed = sweep.budget.confirm_seeds * repeats, replays_each(sweep)
    if shares_slots(sweep):
        shares: list[tuple[str | None, int]] = [(None, all_slots(sweep))]
    else:
        shares = [(arm.label, slots(sweep, arm)) for arm in arms(sweep)]
    rows = []
    for label, each in shares:
        for length in sweep.budget.lengths:
            search, replays = each * repeats, repeats * replayed.get(label or "", 0)
            updates = (search + confirm + replays) * sweep.epochs(length) * steps_per_epoch
            rows.append(LedgerRow(label, length, search, confirm, replays, updates))
    return tuple(rows)


def _planned(
    sweep: Sweep,
    phase: str,
    strategy: str,
    repeat: int,
    slot: int,
    length: float,
    seed: int,
    replay_of: str | None = None,
) -> PlannedRun:
    text = "|".join((sweep.name, phase, strategy, str(repeat), str(slot), repr(length), str(seed)))
    return PlannedRun(str(uuid.uuid5(_NAMESPACE, text)), phase, strategy, repeat, slot, length, seed, replay_of)
