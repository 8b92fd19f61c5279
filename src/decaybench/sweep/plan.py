"""The plan: every run a sweep needs, as a pure function of the sweep (and of what its search chose)."""

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
    """One row of the runs table; repeat and slot count from 0, ``length`` is a fraction of the epochs."""

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int


@dataclass(frozen=True)
class Size:
    """How long a run is, in updates and epochs."""

    steps_per_epoch: int
    epochs: int
    total_steps: int


@dataclass(frozen=True)
class LedgerRow:
    """What a strategy is planned to get at one length, over all repeats: runs, and their logical updates.

    Where the strategies share their slots it is what all of them get together, and ``strategy`` is None.
    """

    strategy: str | None
    length: float
    slots: int
    confirm_seeds: int
    updates: int


def slots(sweep: Sweep, arm: Arm) -> int:
    """Slots of a strategy per repeat and length, when balanced: ``trials``, or one when it has nothing to search."""
    return sweep.budget.trials if arm.space else 1


def all_slots(sweep: Sweep) -> int:
    """Slots per repeat and length of all strategies together; an adaptive sweep shares ``trials`` for each of them."""
    if shares_slots(sweep):
        return sweep.budget.trials * len(sweep.strategies)
    return sum(slots(sweep, arm) for arm in arms(sweep))


def shares_slots(sweep: Sweep) -> bool:
    """Whether the sampler chooses the strategy of a slot too: a search for one good setting, not a comparison."""
    return sweep.search.allocation == "adaptive"


def batch_of(sweep: Sweep, slot: int) -> int:
    """The batch, from 0, that a slot is proposed in; a sampler that learns nothing has all slots in one."""
    return slot // sweep.search.batch if sweep.search.sampler == "tpe" else 0


def plan_search(sweep: Sweep, chosen: Mapping[tuple[int, int, float], str] | None = None) -> tuple[PlannedRun, ...]:
    """Every run of the search; a slot of all strategies goes before the next, so a sweep cut short is even.

    Of an adaptive sweep, the runs of the slots whose strategies are ``chosen`` so far, (repeat, slot, length) -> label.
    A slot's seed is the same for every strategy and length: slots are paired.
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
    """The fresh runs of the winners, (strategy, repeat, length) -> slot.

    Their seeds are the same for every strategy and length, and none of the search's.
    Raises ValueError for a winner that is no part of the sweep.
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


def size(sweep: Sweep, train_examples: int, length: float) -> Size:
    """The length of a run on ``train_examples`` examples; an epoch's last partial batch is dropped.

    Raises UserError when the batch is larger than the training split.
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
    """What each strategy, in file order, is planned to get at each length; one row a length where they share."""
    confirm = sweep.budget.confirm_seeds * sweep.budget.repeats
    if shares_slots(sweep):
        shares: list[tuple[str | None, int]] = [(None, all_slots(sweep))]
    else:
        shares = [(arm.label, slots(sweep, arm)) for arm in arms(sweep)]
    rows = []
    for label, each in shares:
        for length in sweep.budget.lengths:
            search = each * sweep.budget.repeats
            updates = (search + confirm) * sweep.epochs(length) * steps_per_epoch
            rows.append(LedgerRow(label, length, search, confirm, updates))
    return tuple(rows)


def _planned(sweep: Sweep, phase: str, strategy: str, repeat: int, slot: int, length: float, seed: int) -> PlannedRun:
    text = "|".join((sweep.name, phase, strategy, str(repeat), str(slot), repr(length), str(seed)))
    return PlannedRun(str(uuid.uuid5(_NAMESPACE, text)), phase, strategy, repeat, slot, length, seed)
