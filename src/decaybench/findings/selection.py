"""What a run is worth to the search, and which slot of a repeat wins: the one rule, for runner and report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.store import RunResult, RunRow

Chance = Mapping[str, float]
"""What guessing gives, by metric."""
Rank = tuple[float, float, int]
Winners = dict[tuple[str, int, float], "RunRow"]


def told(run: RunRow | RunResult, metric: str, chance: Chance) -> float:
    """The objective value of a run that ended: its validation result at the last epoch.

    A diverged run is worth chance, the same for every strategy, and no finished loss is worth less than that.
    """
    if run.outcome != "finished":
        return chance[metric]
    value: float | None = getattr(run, f"validation_{metric}")
    assert value is not None
    return METRICS[metric].counted(value, chance[metric])


def comparable(run: RunRow | RunResult, metric: str, chance: Chance) -> float:
    """What a run was told, but chance at the least: a finished run below it is no worse than a diverged one."""
    return METRICS[metric].best(told(run, metric, chance), chance[metric])


def stopped_after(run: RunRow | RunResult) -> int | None:
    """The epoch after which pruning stopped a run; None for every other."""
    return run.epochs_done if run.pruned == "stopped" else None


def rank(run: RunRow, metric: str, chance: Chance) -> Rank | None:
    """Where a search run stands among the slots of its repeat, the lowest rank first; None for one that cannot win.

    The metric decides, then the lower loss (a diverged run's is infinite), then the lower slot. A run that has not
    ended cannot win, nor one that was stopped: its result is not of the end.
    """
    if run.outcome not in ("finished", "diverged") or run.pruned == "stopped":
        return None
    loss = run.validation_loss if run.outcome == "finished" else None
    return -METRICS[metric].sign * comparable(run, metric, chance), math.inf if loss is None else loss, run.slot


def winners(runs: Iterable[RunRow], metric: str, chance: Chance, *, overall: bool = False) -> Winners:
    """The best search run of each (strategy, repeat, length), or ``overall`` of each repeat and length alone."""
    best: dict[tuple[str, int, float], tuple[Rank, RunRow]] = {}
    for run in runs:
        own = rank(run, metric, chance)
        key = ("" if overall else run.strategy, run.repeat, run.length)
        if own is not None and (key not in best or own < best[key][0]):
            best[key] = own, run
    return {(run.strategy, run.repeat, run.length): run for _, run in best.values()}


def slots(chosen: Winners) -> Mapping[tuple[str, int, float], int]:
    """Which slot won, as the plan wants it."""
    return {key: run.slot for key, run in chosen.items()}
