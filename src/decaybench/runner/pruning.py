"""Pruning: which runs of a stack are stopped."""

from collections.abc import Hashable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from decaybench.findings.selection import Chance, told
from decaybench.metrics import METRICS
from decaybench.store import RunResult, RunRow
from decaybench.sweep import Sweep, is_spared, prune_group, rung
from decaybench.training import EpochCurves


class Pruning:
    """Stops, at the rung of their length, the search runs that are worse than the median of their group.

    ``done`` holds "stopped", "spared" or None for each run. Only the members of a group that are in this stack are
    compared. Trials that are added to the sweep later are compared among themselves, so decisions are never revised.
    """

    def __init__(self, sweep: Sweep, runs: Sequence[RunRow], chance: Chance) -> None:
        self._sweep, self._runs, self._chance = sweep, runs, chance
        self.done: list[str | None] = [None] * len(runs)
        self._groups: dict[tuple[int, Hashable], list[int]] = {}
        for i, run in enumerate(runs):
            if run.phase == "search" and (at := rung(sweep, run.length)) is not None:
                group = prune_group(sweep, run.strategy, run.repeat, run.length, run.slot)
                self._groups.setdefault((at, group), []).append(i)

    def stop(self, curves: EpochCurves) -> NDArray[np.bool_]:
        """Which runs (K,) end with this epoch. Runs equal to the median continue; a diverged run counts at chance."""
        stopped = np.zeros_like(curves.alive)
        sign = -METRICS[self._sweep.task.metric].sign
        for (at, _), members in self._groups.items():
            if at != curves.epoch:
                continue
            costs = {i: sign * self._value(i, curves) for i in members}
            middle = median(costs.values())
            for i, cost in costs.items():
                if cost > middle and curves.alive[i]:
                    run = self._runs[i]
                    spared = is_spared(self._sweep, run.strategy, run.repeat, run.length, run.slot)
                    self.done[i] = "spared" if spared else "stopped"
                    stopped[i] = not spared
        return stopped

    def _value(self, i: int, curves: EpochCurves) -> float:
        """The value that the run would have if it ended with this epoch, or chance if that is better.

        Nothing may be stopped because others diverged.
        """
        ended = RunResult(
            self._runs[i].id,
            "finished" if curves.alive[i] else "diverged",
            curves.epoch,
            **{f"validation_{metric}": values[i].item() for metric, values in curves.validation.items()},
        )
        metric = self._sweep.task.metric
        return METRICS[metric].best(told(ended, metric, self._chance), self._chance[metric])
