"""The plan: every run that a sweep needs, as a pure function of the sweep and of its best trials so far."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from decaybench.errors import UserError
from decaybench.seeds import derive
from decaybench.sweep.arms import arms
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
    """The trials of a strategy at one length: up to the first look (``least``), and to the last (``most``).

    ``updates`` is the length of one. If the strategies share their trials, it is the budget of all of them together,
    and ``strategy`` is None.
    """

    strategy: str | None
    length: float
    least: int
    most: int
    updates: int


Place = tuple[int, int]
"""A trial by its repeat and its index within it, both from 0."""
RETRAINED: Final = 3
"""The configurations of a strategy that are retrained, so that validation on fresh seeds may choose between them."""
CANDIDATES: Final = 6
"""Strategies at most that are retrained: the pick, the control, the best of either family, and the next two."""


def all_slots(sweep: Sweep) -> int:
    """Trials per repeat and length of all strategies together; an adaptive sweep shares ``trials`` for each of them."""
    return sweep.budget.trials * len(sweep.strategies)


def shares_slots(sweep: Sweep) -> bool:
    """Whether the sampler also chooses each trial's strategy: a search for one good configuration, not a comparison."""
    return sweep.search.allocation == "adaptive"


def batch_of(sweep: Sweep, slot: int) -> int:
    """The batch, from 0, in which a trial is proposed; a sampler that does not learn has only batch 0."""
    return slot // sweep.search.batch if sweep.search.sampler == "tpe" else 0


def plan_search(
    sweep: Sweep, repeats: Mapping[str, int], chosen: Mapping[tuple[int, int, float], str] | None = None
) -> tuple[PlannedRun, ...]:
    """Every run of the search up to each strategy's number of ``repeats``, trial by trial over all strategies.

    For an adaptive sweep, the runs of the trials whose strategies are ``chosen`` so far, (repeat, slot, length) ->
    label. A trial's seed is the same for every strategy and length: trials are paired.
    """
    if shares_slots(sweep):
        taken = [(length, repeat, slot, label) for (repeat, slot, length), label in (chosen or {}).items()]
        taken.sort(key=lambda run: (sweep.budget.lengths.index(run[0]), *run[1:3]))
    else:
        taken = [
            (length, repeat, slot, label)
            for length in sweep.budget.lengths
            for repeat in range(max(repeats.values()))
            for slot in range(sweep.budget.trials)
            for label in sweep.strategies
            if repeat < repeats[label]
        ]
    return tuple(
        _planned(sweep, "search", label, repeat, slot, length, derive(sweep.search.seed, "search", repeat, slot))
        for length, repeat, slot, label in taken
    )


def plan_choosing(sweep: Sweep, configurations: Mapping[str, Sequence[Place]]) -> tuple[PlannedRun, ...]:
    """The runs that retrain each strategy's ``configurations``, so that their mean validation chooses one.

    They train at the longest length. Seed i is the same for all, and is not one of the search.
    """
    return _retrained(sweep, configurations, further=False)


def plan_further(sweep: Sweep, chosen: Mapping[str, Place]) -> tuple[PlannedRun, ...]:
    """The runs that retrain each strategy's ``chosen`` configuration on as many further seeds.

    Only they are reported: the runs that chose it would report their own selection.
    """
    return _retrained(sweep, {label: [place] for label, place in chosen.items()}, further=True)


def plan_replay(sweep: Sweep, further: Sequence[PlannedRun]) -> tuple[PlannedRun, ...]:
    """The replays of one reactive strategy's ``further`` runs.

    Replays show whether reacting to the run helps, or only the learning rates that it led to. Each seed is trained
    again with the learning rates recorded on the previous seed; the first seed uses those of the last. (With its own
    learning rates, a run would reproduce itself.) There are none with only one seed.
    """
    if len(further) < 2:
        return ()
    return tuple(
        _planned(sweep, "replay", run.strategy, run.repeat, run.slot, run.length, run.seed, further[i - 1].id)
        for i, run in enumerate(further)
    )


def confirm_seeds(sweep: Sweep, *, further: bool) -> tuple[int, ...]:
    """The seeds of the runs that choose a configuration, or of the ``further`` ones that are reported."""
    first = sweep.budget.confirm_seeds if further else 0
    return tuple(derive(sweep.search.seed, "confirm", first + i) for i in range(sweep.budget.confirm_seeds))


def most_retrained(sweep: Sweep) -> int:
    """The runs after the search at most: every candidate's choosing and further runs, and one strategy's replays."""
    seeds, built = sweep.budget.confirm_seeds, arms(sweep)
    more = max(0, sum(arm.kind == "constant" for arm in built) - 1)  # every control is retrained
    candidates = 1 if shares_slots(sweep) else min(CANDIDATES + more, len(built))
    replayed = seeds > 1 and not shares_slots(sweep) and any(arm.family == "reactive" for arm in built)
    return candidates * (RETRAINED + 1) * seeds + replayed * seeds


def least_retrained(sweep: Sweep) -> int:
    """The runs after the search at least: those of the best strategy of each family, and one strategy's replays."""
    seeds, built = sweep.budget.confirm_seeds, arms(sweep)
    if shares_slots(sweep):
        return (RETRAINED + 1) * seeds
    each: dict[str, int] = {}
    for arm in built:  # a strategy with nothing to search has one configuration
        each[arm.family] = min(each.get(arm.family, RETRAINED), RETRAINED if arm.space else 1)
    replayed = seeds if seeds > 1 and "reactive" in each else 0
    return sum(number + 1 for number in each.values()) * seeds + replayed


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
    """The trials of each strategy, in file order, at each length; one row per length if they share trials."""
    repeats, shared = sweep.budget.repeats, shares_slots(sweep)
    each = all_slots(sweep) if shared else sweep.budget.trials
    labels: list[str | None] = [None] if shared else list(sweep.strategies)
    return tuple(
        LedgerRow(label, length, each * repeats.start, each * repeats.to, sweep.epochs(length) * steps_per_epoch)
        for label in labels
        for length in sweep.budget.lengths
    )


def _retrained(sweep: Sweep, configurations: Mapping[str, Sequence[Place]], *, further: bool) -> tuple[PlannedRun, ...]:
    return tuple(
        _planned(sweep, "confirm", label, repeat, slot, max(sweep.budget.lengths), seed)
        for seed in confirm_seeds(sweep, further=further)
        for label in sweep.strategies
        for repeat, slot in configurations.get(label, ())
    )


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
