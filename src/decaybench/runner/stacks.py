"""Which runs are trained together: decided once, when they are first planned, and written down.

An interrupted stack is trained again with the same members.
"""

from collections.abc import Hashable, Sequence
from itertools import groupby

from decaybench.store import RunRow


def group(runs: Sequence[tuple[RunRow, Hashable]], first: int, k: int) -> dict[str, int]:
    """Stack numbers, from ``first`` up, by run id: K alike runs each, in the order given.

    Runs are alike when their second entries are equal: the length, the batch they are proposed in, and whatever else
    changes a stack's arithmetic. Kinds keep the order in which they come first, so batches that are given in order are
    trained in order.
    """
    kinds = list(dict.fromkeys(kind for _, kind in runs))
    stacks: dict[str, int] = {}
    number = first
    for _, alike in groupby(sorted(runs, key=lambda entry: kinds.index(entry[1])), key=lambda entry: entry[1]):
        members = [run.id for run, _ in alike]
        for start in range(0, len(members), k):
            stacks.update(dict.fromkeys(members[start : start + k], number))
            number += 1
    return stacks


def members(runs: Sequence[RunRow]) -> list[list[RunRow]]:
    """The runs by stack, in the order of the stacks' numbers."""
    ordered = sorted(runs, key=lambda run: -1 if run.stack is None else run.stack)
    return [list(stack) for _, stack in groupby(ordered, key=lambda run: run.stack)]
