"""The progress of a phase, per strategy."""

from collections.abc import Iterable
from dataclasses import replace

from decaybench.findings.selection import Chance, told
from decaybench.metrics import METRICS
from decaybench.runner.progress import Share
from decaybench.store import RunResult, RunRow


class Tally:
    """The progress of every strategy in a phase, counted as results come in."""

    def __init__(self, strategies: Iterable[str], metric: str, chance: Chance) -> None:
        self._metric, self._chance = metric, chance
        self._shares = {label: Share(label, 0, 0, 0, None) for label in strategies}

    def plan(self, runs: Iterable[RunRow], open_to_all: int = 0) -> None:
        """Count the phase's runs, and the results that they already have.

        ``open_to_all`` is the number of trials that any strategy may still get; they count as planned for each.
        """
        for label, share in self._shares.items():
            self._shares[label] = replace(share, planned=share.planned + open_to_all)
        for run in runs:
            share = self._shares[run.strategy]
            self._shares[run.strategy] = replace(share, planned=share.planned + 1)
            if run.outcome in ("finished", "diverged"):
                self.count(run.strategy, run)

    def count(self, strategy: str, run: RunRow | RunResult) -> None:
        """Count one more run that has ended."""
        share, value = self._shares[strategy], told(run, self._metric, self._chance)
        if run.pruned == "stopped":
            self._shares[strategy] = replace(share, done=share.done + 1)
            return
        better = METRICS[self._metric].best
        self._shares[strategy] = replace(
            share,
            done=share.done + 1,
            diverged=share.diverged + (run.outcome == "diverged"),
            best=value if share.best is None else better(share.best, value),
        )

    def shares(self) -> list[Share]:
        """One share per strategy, in file order."""
        return list(self._shares.values())
