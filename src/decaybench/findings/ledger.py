"""The ledger: what every strategy was planned to get, from the sweep file alone, and what it got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from decaybench.findings.results import Results


class Entry(NamedTuple):
    """Runs of one phase, strategy and length: ``retried`` were begun more than once, for whatever reason."""

    planned: int
    done: int
    diverged: int
    failed: int
    retried: int


@dataclass(frozen=True)
class Account:
    """What one strategy is planned to get at one length and got; None where the plan does not say.

    ``planned`` and ``logical`` are updates: of all planned runs, and of those that are done, a run counting in full
    whether it diverged, was stopped or shared its updates. ``made`` are the updates that runs made, ``computed`` those
    that were computed for them, since runs that begin alike share theirs. ``extra`` counts the examples of
    the signal split that the strategy's rule asks to pass forward, an epoch at a time; a replay's asks for none. (In a
    sweep where one strategy asks, that split is evaluated for the runs of all.)
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
    """A strategy that lacks slots or confirm runs; ``length`` is None where the sweep has one only."""

    label: str
    length: float | None
    slots: Entry
    confirm: Entry


class ReplayGap(NamedTuple):
    """A strategy whose replays nothing can be said of yet: it lacks slots, confirm runs or replays."""

    label: str
    length: float | None
    slots: Entry
    confirm: Entry
    replay: Entry


class UnequalTrials(NamedTuple):
    """Strategies that search are planned so many slots per repeat, not all of them the same."""

    planned: tuple[int, ...]


class UnequalLedger(NamedTuple):
    """What keeps the ledger from being equal and complete."""

    gaps: tuple[Gap | ReplayGap | UnequalTrials, ...]


def account(results: Results, label: str, length: float) -> Account:
    """One strategy's account at one length. Shared slots are nobody's: there, what a strategy has is its plan."""
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
    """What keeps the ledger from being equal and complete; None where nothing does.

    Replays decide nothing between strategies: they are not looked at.
    """
    found: list[Gap | UnequalTrials] = [
        Gap(label, told(results, length), own.slots, own.confirm)
        for (label, length), own in accounts.items()
        if (own.slots.done, own.confirm.done) != (own.slots.planned, own.confirm.planned)
    ]
    # a strategy with nothing to search is planned one slot a repeat; the others must be planned alike
    searching = {results.sweep.slots(label) for label, arm in results.sweep.arms.items() if arm.space}
    if len(searching) > 1:
        found.append(UnequalTrials(tuple(sorted(searching))))
    return UnequalLedger(tuple(found)) if found else None


def unequal_replays(results: Results) -> UnequalLedger | None:
    """What the ledger of the strategies that are to be replayed lacks; None where nothing is lacking."""
    found = []
    for length in results.lengths:
        for label in (s.label for s in results.strategies if results.sweep.replays(s.label)):
            own = account(results, label, length)
            entries = own.slots, own.confirm, own.replay
            if any(entry.done < entry.planned for entry in entries):
                found.append(ReplayGap(label, told(results, length), *entries))
    return UnequalLedger(tuple(found)) if found else None


def told(results: Results, length: float) -> float | None:
    """The length where it tells something apart: None in a sweep of one."""
    return length if len(results.lengths) > 1 else None
