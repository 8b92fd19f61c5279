"""Pruning, as pure functions of the sweep: when it happens, and which runs are compared and spared."""

from typing import Final

from decaybench.seeds import derive
from decaybench.sweep.arms import arms
from decaybench.sweep.model import Sweep
from decaybench.sweep.plan import batch_of

BLOCK: Final = 64
"""The most trials in a group. A group is trained together, so this bounds its memory."""

Group = tuple[str, int, float, int, int]


def rung(sweep: Sweep, length: float) -> int | None:
    """The epoch, counted from 1, after which a search run of this length may be stopped; None if there is none."""
    epochs, asked = sweep.epochs(length), sweep.search.prune
    if asked is None:
        return None
    found = max(1, round(asked.at * epochs))
    return found if found < epochs else None


def prune_group(sweep: Sweep, strategy: str, repeat: int, length: float, slot: int) -> Group:
    """The key of the group of search runs that are compared at their rung, all of one strategy, repeat and length.

    A group is one batch of a sampler that learns, else all trials; larger groups are split into blocks of BLOCK trials.
    """
    batch = batch_of(sweep, slot)
    return strategy, repeat, length, batch, (slot - batch * sweep.search.batch) // BLOCK


def is_spared(sweep: Sweep, strategy: str, repeat: int, length: float, slot: int) -> bool:
    """Whether a run is trained to the end even if it is worse than the median; true with probability ``spare``.

    Each run has its own random stream, independent of the order, time, stack and number of workers.
    """
    asked = sweep.search.prune
    drawn = derive(sweep.search.seed, "prune", strategy, repeat, repr(length), slot) / 2**53
    return asked is not None and drawn < asked.spare


def most_pruned(sweep: Sweep) -> float:
    """The largest share of the search's updates, in [0, 1), that pruning is expected to save.

    At most half of a group is worse than its median. Of these, the spared runs are trained to the end.
    """
    asked = sweep.search.prune
    planned, saved = 0, 0.0
    for arm in arms(sweep):
        for length in sweep.budget.lengths:
            epochs, at = sweep.epochs(length), rung(sweep, length)
            sizes: dict[Group, int] = {}
            for slot in range(sweep.budget.trials):
                group = prune_group(sweep, arm.label, 0, length, slot)
                sizes[group] = sizes.get(group, 0) + 1
            planned += epochs * sum(sizes.values())
            if asked is not None and at is not None:
                saved += (1 - asked.spare) * (epochs - at) * sum(size // 2 for size in sizes.values())
    return saved / planned
