"""What a run is worth to the search, and which slot of a repeat wins."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from decaybench.runner.progress import Share
from decaybench.store import RunResult, RunRow

Metric = Literal["accuracy", "loss"]
Winners = dict[tuple[str, int, float], RunRow]


@dataclass(frozen=True)
class Chance:
    """What guessing gives: the validation split's majority-class rate, and ln C nats."""

    accuracy: float
    loss: float


def told(run: RunRow | RunResult, metric: Metric, chance: Chance) -> float:
    """The objective value of a run that ended: its validation result at the last epoch.

    A diverged run is worth chance, the same for every strategy, and no finished loss is worth less than that.
    """
    if run.outcome == "finished":
        assert run.validation_accuracy is not None
        assert run.validation_loss is not None
        return run.validation_accuracy if metric == "accuracy" else min(run.validation_loss, chance.loss)
    return chance.accuracy if metric == "accuracy" else chance.loss


def comparable(run: RunRow | RunResult, metric: Metric, chance: Chance) -> float:
    """What a run was told, but chance at the least: a finished run below it is no worse than a diverged one."""
    value = told(run, metric, chance)
    return max(value, chance.accuracy) if metric == "accuracy" else value


def stopped_after(run: RunRow | RunResult) -> int | None:
    """The epoch after which pruning stopped a run; None for every other."""
    return run.epochs_done if run.pruned == "stopped" else None


def winners(runs: Iterable[RunRow], metric: Metric, chance: Chance, *, overall: bool = False) -> Winners:
    """The best search run of each (strategy, repeat, length), or ``overall`` of each repeat and length alone.

    Ties go to the lower loss, then to the lower slot. A run that was stopped never wins: its result is not of the end.
    """
    sign = -1.0 if metric == "accuracy" else 1.0

    def rank(run: RunRow) -> tuple[float, float, int]:
        loss = run.validation_loss if run.outcome == "finished" else None
        return sign * comparable(run, metric, chance), math.inf if loss is None else loss, run.slot

    chosen: dict[tuple[str, int, float], RunRow] = {}
    for run in runs:
        if run.pruned == "stopped":
            continue
        key = ("" if overall else run.strategy, run.repeat, run.length)
        if key not in chosen or rank(run) < rank(chosen[key]):
            chosen[key] = run
    return {(run.strategy, run.repeat, run.length): run for run in chosen.values()}


def slots(chosen: Winners) -> Mapping[tuple[str, int, float], int]:
    """Which slot won, as the plan wants it."""
    return {key: run.slot for key, run in chosen.items()}


class Tally:
    """How far every strategy is in a phase, counted as results come in."""

    def __init__(self, strategies: Iterable[str], metric: Metric, chance: Chance) -> None:
        self._metric, self._chance = metric, chance
        self._shares = {label: Share(label, 0, 0, 0, None) for label in strategies}

    def plan(self, runs: Iterable[RunRow], open_to_all: int = 0) -> None:
        """Count the phase's runs, and the results that they already have.

        Slots that any strategy may still get, ``open_to_all``, count as planned for each of them.
        """
        for label, share in self._shares.items():
            self._shares[label] = replace(share, planned=share.planned + open_to_all)
        for run in runs:
            share = self._shares[run.strategy]
            self._shares[run.strategy] = replace(share, planned=share.planned + 1)
            if run.outcome in ("finished", "diverged"):
                self.count(run.strategy, run)

    def count(self, strategy: str, run: RunRow | RunResult) -> None:
        """One more run has ended."""
        share, value = self._shares[strategy], told(run, self._metric, self._chance)
        if run.pruned == "stopped":
            self._shares[strategy] = replace(share, done=share.done + 1)
            return
        better = max if self._metric == "accuracy" else min
        self._shares[strategy] = replace(
            share,
            done=share.done + 1,
            diverged=share.diverged + (run.outcome == "diverged"),
            best=value if share.best is None else better(share.best, value),
        )

    def shares(self) -> list[Share]:
        """One share a strategy, in file order."""
        return list(self._shares.values())
