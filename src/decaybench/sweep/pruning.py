"""Pruning within a strategy, as pure functions of the sweep: when it is decided, who is compared, who is spared."""

from typing import Final

from decaybench.seeds import derive
from decaybench.sweep.arms import arms
from decaybench.sweep.model import Sweep
from decaybench.sweep.plan import batch_of, slots

BLOCK: Final = 64
"""Slots of a group at most: they are trained together, so this bounds the memory that they need."""

Group = tuple[str, int, float, int, int]


def rung(sweep: Sweep, length: float) -> int | None:
    """The epoch, from 1, at whose end a search run of this length may be stopped; None where none is."""
    epochs, asked = sweep.epochs(length), sweep.search.prune
    if asked is None:
        return None
    found = max(1, round(asked.at * epochs))
    return found if found < epochs else None


def prune_group(sweep: Sweep, strategy: str, repeat: int, length: float, slot: int) -> Group:
    """What the search runs that are compared at their rung have in common: runs of one strategy, repeat and length.

    Of a sampler that learns they are one batch, else all slots; of more than BLOCK slots each BLOCK is a group.
    """
    batch = batch_of(sweep, slot)
    return strategy, repeat, length, batch, (slot - batch * sweep.search.batch) // BLOCK


def is_spared(sweep: Sweep, strategy: str, repeat: int, length: float, slot: int) -> bool:
    """Whether a run is trained to its end even if it is to be stopped, with the probability that the sweep asks for.

    Drawn from a stream of its own: no order, clock, stack or number of workers enters.
    """
    asked = sweep.search.prune
    drawn = derive(sweep.search.seed, "prune", strategy, repeat, repr(length), slot) / 2**53
    return asked is not None and drawn < asked.spare


def most_pruned(sweep: Sweep) -> float:
    """The share of the search's updates, in [0, 1), that pruning is expected to save at most.

    No more than half of a group is worse than its median; of these the spared are trained to their ends.
    """
    asked = sweep.search.prune
    planned, saved = 0, 0.0
    for arm in arms(sweep):
        for length in sweep.budget.lengths:
            epochs, at = sweep.epochs(length), rung(sweep, length)
            sizes: dict[Group, int] = {}
            for slot in range(slots(sweep, arm)):
                group = prune_group(sweep, arm.label, 0, length, slot)
                sizes[group] = sizes.get(group, 0) + 1
            planned += epochs * sum(sizes.values())
            if asked is not None and at is not None:
                saved += (1 - asked.spare) * (epochs - at) * sum(size // 2 for size in sizes.values())
    return saved / planned
