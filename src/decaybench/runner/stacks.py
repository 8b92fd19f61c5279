"""Which runs are trained together. This is decided once, when runs are first planned, and stored.

So an interrupted stack is continued with the same members. One that fails again and again is halved.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby
from typing import NamedTuple

from decaybench.store import RunRow


class Member(NamedTuple):
    """A run to be put into a stack.

    Only runs of the same ``kind`` (the same optimizer, for example) can share a stack. Runs of the same ``family`` may
    begin alike, so training them together costs less.
    """

    run: RunRow
    kind: Hashable
    family: Hashable


def group(members: Sequence[Member], first: int, k: int, workers: int = 1) -> dict[str, int]:
    """Stack numbers by run id, counted from ``first``. A stack has about ``k`` runs of one kind, and whole families.

    Members keep their order, and kinds the order of their first run, so batches given in order are trained in order.
    ``workers`` processes can share a kind's stacks about evenly.
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


def halve(members: Sequence[Member]) -> list[list[RunRow]]:
    """A stack's runs as two lists of about the same length, cut between families; none if there is only one family."""
    families = _parted(members, lambda member: member.family)
    if len(families) == 1:
        return []
    halves: list[list[RunRow]] = [[], []]
    for family in families:
        halves[bool(halves[0]) and 2 * len(halves[0]) + len(family) > len(members)] += [each.run for each in family]
    return halves


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
