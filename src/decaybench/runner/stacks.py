"""Which runs are trained together: decided once, when they are first planned, and stored.

An interrupted stack is trained again with the same members.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import NamedTuple

from decaybench.store import RunRow


class Member(NamedTuple):
    """A run to be put into a stack.

    ``kind``: what all runs of a stack have in common, such as the optimizer. ``family``: runs that may begin alike, so
    that training them together costs less.
    """

    run: RunRow
    kind: Hashable
    family: Hashable


def group(members: Sequence[Member], first: int, k: int, workers: int = 1) -> dict[str, int]:
    """Stack numbers, from ``first`` up, by run id: about K runs of one kind each, in the order given, with whole
    families.

    Kinds keep the order of their first run, so batches that are given in order are trained in order. The number of
    stacks of a kind is one that ``workers`` can share evenly.
    """
    stacks: dict[str, int] = {}
    number = first
    for alike in _parted(members, lambda member: member.kind):
        rounds = -(-len(alike) // (k * workers))
        limit = -(-len(alike) // (rounds * workers)) if workers > 1 else k
        size = 0
        for family in _parted(alike, lambda member: member.family):
            if size and size + len(family) > limit:
                number, size = number + 1, 0
            stacks.update((member.run.id, number) for member in family)
            size += len(family)
        number += 1
    return stacks


def _parted(members: Sequence[Member], key: Callable[[Member], Hashable]) -> list[list[Member]]:
    """The members by key; keys and members keep their order."""
    parts: dict[Hashable, list[Member]] = {}
    for member in members:
        parts.setdefault(key(member), []).append(member)
    return list(parts.values())


def members(runs: Sequence[RunRow]) -> list[list[RunRow]]:
    """The runs by stack, in the order of the stacks' numbers."""
    ordered = sorted(runs, key=lambda run: -1 if run.stack is None else run.stack)
    return [list(stack) for _, stack in groupby(ordered, key=lambda run: run.stack)]
