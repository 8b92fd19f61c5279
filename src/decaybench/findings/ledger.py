"""The ledger: the budget that the sweep file plans for every strategy, and how much of it was used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from decaybench.findings.results import Results, Run


class Entry(NamedTuple):
    """Counts of runs of one phase, strategy and length; ``retried`` runs were begun more than once."""

    planned: int
    done: int
    diverged: int
    failed: int
    retried: int


@dataclass(frozen=True)
class Account:
    """What one strategy is planned to get at one length, as its rows say, and what it got; None where that is unknown.

    ``planned`` and ``logical`` are updates: of all planned runs, and of those that are done. There a run counts in full
    whether it diverged, was stopped or shared its updates. ``made`` are the updates that runs made, ``computed`` those
    that were computed for them, since runs that begin alike share theirs. ``extra`` counts the examples of the signal
    split that the strategy's rule passes forward; a replay's passes none. These three include the ``superseded`` runs,
    which are done but no longer planned, and which nothing else counts.
    """

    trials: Entry
    confirm: Entry
    replay: Entry
    superseded: int
    planned: int | None
    logical: int | None
    made: int
    computed: int | None
    extra: int


class UnequalTrials(NamedTuple):
    """The strategies have so many trials per repeat, not all of them the same."""

    planned: tuple[int, ...]


def account(results: Results, label: str, length: float) -> Account:
    """One strategy's account at one length."""
    phases = {phase: results.of(phase, label, length) for phase in ("search", "confirm", "replay")}
    trials, confirm, replay = (_entry(runs) for runs in phases.values())
    former = [run for run in results.superseded if run.done and (run.strategy, run.length) == (label, length)]
    runs = [*former, *(run for each in phases.values() for run in each)]
    of = results.sweep.size(length)
    computed = [run.updates_computed for run in runs if run.done]
    signal = results.sweep.examples("signal") if results.sweep.arms[label].held_out else 0
    return Account(
        trials,
        confirm,
        replay,
        superseded=len(former),
        planned=None if of is None else of.total_steps * (trials.planned + confirm.planned + replay.planned),
        logical=None if of is None else of.total_steps * (trials.done + confirm.done + replay.done),
        made=sum(len(results.traces[run.id]) for run in runs if run.id in results.traces),
        computed=None if None in computed else sum(n for n in computed if n is not None),
        extra=signal * sum(run.epochs_done for run in runs if run.phase != "replay"),
    )


def _entry(runs: Sequence[Run]) -> Entry:
    return Entry(
        planned=len(runs),
        done=sum(run.done for run in runs),
        diverged=sum(run.diverged for run in runs),
        failed=sum(run.outcome == "failed" for run in runs),
        retried=sum(run.attempt > 1 for run in runs),
    )


def unequal(results: Results) -> UnequalTrials | None:
    """What keeps strategies from being compared: trials per repeat that differ, as those of joined sweeps may."""
    planned = {results.sweep.trials(strategy.label) for strategy in results.strategies}
    return UnequalTrials(tuple(sorted(planned))) if len(planned) > 1 else None


def told(results: Results, length: float) -> float | None:
    """The length, if it tells runs apart; None in a sweep with only one length."""
    return length if len(results.lengths) > 1 else None
