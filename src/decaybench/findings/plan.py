"""What a sweep trains next: a pure function of its looks, and after the search of its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from decaybench.findings.join import Evidence
from decaybench.findings.look import look_row
from decaybench.findings.results import collect, reached
from decaybench.findings.retraining import candidates, choose, configurations
from decaybench.findings.summary import Summary, summarise
from decaybench.findings.sweep import read_sweeps

if TYPE_CHECKING:
    from decaybench.store import LookRow, RunRow
    from decaybench.sweep import PlannedRun, Sweep


def step(sweep: Sweep, looks: Sequence[LookRow]) -> dict[str, int] | None:
    """The repeats of each strategy at the end of the step that follows the last look; None if the search is over."""
    if not looks:
        return dict.fromkeys(sweep.strategies, sweep.budget.repeats.start)
    if not looks[-1].trained_next:
        return None
    members, repeats = looks[-1].trained_next["members"], int(looks[-1].trained_next["repeats"])
    return reached(looks) | dict.fromkeys(members, repeats)


def wanted(sweep: Sweep, looks: Sequence[LookRow]) -> dict[str, int]:
    """The repeats of each strategy that are to have search runs."""
    following = step(sweep, looks)
    return reached(looks) if following is None else following


def summary_at(
    row: Mapping[str, Any], runs: Sequence[RunRow], looks: Sequence[LookRow], at: Mapping[str, int] | None = None
) -> Summary:
    """What a sweep shows at its last look, or ``at`` so many repeats of each strategy; without curves.

    ``row`` is the sweep's; ``runs`` and ``looks`` are those of all lengths.
    """
    sweep = read_sweeps([row])
    deciding = tuple(look for look in looks if look.length == max(sweep.lengths))
    return summarise(replace(collect(Evidence(sweep, tuple(runs), {}, {}, (deciding,))), at=at))


def look_rows(summary: Summary, number: int, sweep_id: str) -> list[LookRow]:
    """The rows of a look, one per length; the longest length says what is trained next."""
    decided, rules = summary.decisive.decision, summary.results.sweep.rules
    assert decided is not None
    following: dict[str, Any] = {}
    if decided.next is not None:
        members = [summary.decisive.labels[s] for s in decided.next.members]
        following = {"members": members, "repeats": decided.next.repeats}
    return [look_row(summary, standing, number, sweep_id, rules, following) for standing in summary.standings.values()]


def retrained(sweep: Sweep, summary: Summary) -> tuple[PlannedRun, ...]:
    """The confirm and replay runs that follow from the last look, as far as they are known.

    Which configuration is retrained on further seeds is known once the choosing runs are done.
    """
    from decaybench.sweep import RETRAINED, arms, plan_choosing, plan_further, plan_replay

    results = summary.results
    if results.adaptive:
        groups = [configurations(results, list(sweep.strategies), RETRAINED)]
    else:
        groups = [configurations(results, [label], RETRAINED) for label in candidates(results, summary.decisive)]
    places: dict[str, list[tuple[int, int]]] = {}
    for run in (run for group in groups for run in group):
        places.setdefault(run.strategy, []).append((run.repeat, run.slot))
    choosing = plan_choosing(sweep, places)
    if not {run.id for run in choosing} <= {run.id for run in results.runs if run.done}:
        return choosing
    chosen = [best for group in groups if (best := choose(results, group)) is not None]
    further = plan_further(sweep, {run.strategy: (run.repeat, run.slot) for run in chosen})
    families = {arm.label: arm.family for arm in arms(sweep)}
    reactive = [run.strategy for run in chosen if families[run.strategy] == "reactive"]  # the best one first
    replayed = [run for run in further if not results.adaptive and run.strategy in reactive[:1]]
    return (*choosing, *further, *plan_replay(sweep, replayed))
