"""The ledger: the budget that the sweep file plans for every strategy, and how much of it was used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from decaybench.findings.results import Results


class Entry(NamedTuple):
    """Counts of runs of one phase, strategy and length; ``retried`` runs were begun more than once."""

    planned: int
    done: int
    diverged: int
    failed: int
    retried: int


@dataclass(frozen=True)
class Account:
    """The budget of one strategy at one length, planned and used.

    ``slots`` counts the search trials. The other numbers are updates, and None where they are not known:

    * ``planned``: of all planned runs.
    * ``logical``: of all runs that are done. Each counts in full, even if it diverged, was stopped or shared updates.
    * ``made``: what these runs made.
    * ``computed``: what was computed for them. It is less than ``made`` if runs that begin alike shared updates.

    ``extra`` is the number of forward passes, in examples, that the strategy's rule needs on the signal split, which is
    evaluated every epoch. Replays need none. (If one strategy of a sweep needs that split, it is evaluated for the runs
    of all strategies; only those of this one are counted.)
    """

    slots: Entry
    confirm: Entry
    replay: Entry
    planned: int | None
    logical: int | None
    made: int
    computed: int | None
    extra: int


class Gap(NamedTuple):
    """A strategy that lacks trials or confirm runs; ``length`` is None in a sweep with only one length."""

    label: str
    length: float | None
    slots: Entry
    confirm: Entry


class ReplayGap(NamedTuple):
    """A strategy whose replays cannot be judged yet, because trials, confirm runs or replays are missing."""

    label: str
    length: float | None
    slots: Entry
    confirm: Entry
    replay: Entry


class UnequalTrials(NamedTuple):
    """The strategies that have something to search are planned different numbers of trials per repeat: ``planned``."""

    planned: tuple[int, ...]


class UnequalLedger(NamedTuple):
    """The reasons why the ledger is not equal and complete."""

    gaps: tuple[Gap | ReplayGap | UnequalTrials, ...]


def account(results: Results, label: str, length: float) -> Account:
    """One strategy's account at one length.

    With adaptive allocation, no trial is planned for a strategy beforehand: what it has counts as planned.
    """
    sweep, repeats = results.sweep, results.repeats
    counts = {
        "search": sweep.slots(label) * repeats,
        "confirm": results.confirm_seeds * repeats,
        "replay": sweep.replays(label) * repeats,
    }
    slots, confirm, replay = (_entry(results, phase, label, length, counts[phase]) for phase in counts)
    runs = [run for phase in counts for run in results.of(phase, label, length)]
    of = sweep.size(length)
    computed = [run.updates_computed for run in runs if run.done]
    signal = sweep.examples("signal") if sweep.arms[label].held_out else 0
    return Account(
        slots,
        confirm,
        replay,
        planned=None if of is None else of.total_steps * (slots.planned + confirm.planned + replay.planned),
        logical=None if of is None else of.total_steps * (slots.done + confirm.done + replay.done),
        made=sum(len(results.traces[run.id]) for run in runs if run.id in results.traces),
        computed=None if None in computed else sum(n for n in computed if n is not None),
        extra=signal * sum(run.epochs_done for run in runs if run.phase != "replay"),
    )


def _entry(results: Results, phase: str, label: str, length: float, planned: int) -> Entry:
    runs = results.of(phase, label, length)
    return Entry(
        planned=len(runs) if results.adaptive else planned,
        done=sum(run.done for run in runs),
        diverged=sum(run.diverged for run in runs),
        failed=sum(run.outcome == "failed" for run in runs),
        retried=sum(run.attempt > 1 for run in runs),
    )


def unequal(results: Results, accounts: Mapping[tuple[str, float], Account]) -> UnequalLedger | None:
    """The reasons why the ledger is not equal and complete; None if it is.

    Replays are ignored, since they decide nothing between strategies.
    """
    found: list[Gap | UnequalTrials] = [
        Gap(label, told(results, length), own.slots, own.confirm)
        for (label, length), own in accounts.items()
        if (own.slots.done, own.confirm.done) != (own.slots.planned, own.confirm.planned)
    ]
    # a strategy with nothing to search is planned one trial per repeat; all others must be planned the same number
    searching = {results.sweep.slots(label) for label, arm in results.sweep.arms.items() if arm.space}
    if len(searching) > 1:
        found.append(UnequalTrials(tuple(sorted(searching))))
    return UnequalLedger(tuple(found)) if found else None


def unequal_replays(results: Results) -> UnequalLedger | None:
    """What the strategies that are to be replayed still lack; None if nothing is missing."""
    found = []
    for length in results.lengths:
        for label in (s.label for s in results.strategies if results.sweep.replays(s.label)):
            own = account(results, label, length)
            entries = own.slots, own.confirm, own.replay
            if any(entry.done < entry.planned for entry in entries):
                found.append(ReplayGap(label, told(results, length), *entries))
    return UnequalLedger(tuple(found)) if found else None


def told(results: Results, length: float) -> float | None:
    """The length, or None in a sweep with only one, where it distinguishes nothing."""
    return length if len(results.lengths) > 1 else None
