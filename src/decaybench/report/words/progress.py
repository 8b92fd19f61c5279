"""How far a sweep is, where that matters to its answer."""

from __future__ import annotations

from itertools import groupby

from decaybench.findings.summary import Summary
from decaybench.report.words.numbers import count, listed


def before_the_first_look(summary: Summary) -> str:
    """Why there is nothing to say yet, without a full stop; empty from the first look on."""
    results, standing = summary.results, summary.decisive
    start = results.sweep.rules.start
    closed = min(results.repeats.values())
    if not any(run.done for run in results.runs):
        return "the sweep has not started"
    if closed >= start or (standing.lacking is not None and standing.lacking.what != "repeats"):
        if standing.contest is None:
            return "no strategy can be looked at yet"
        stated = standing.decision is not None or standing.lacking is not None or standing.withheld
        return "" if stated else "the first look has not been taken yet"
    done = sum(row.account.trials.done for row in summary.rows)
    planned = sum(row.account.trials.planned for row in summary.rows)
    return f"{done:,} of the {planned:,} trials that the first look needs are done"


def not_settled(summary: Summary) -> str:
    """That there is no pick, and why there will be none without doing something, in lower case."""
    decided, parts = summary.decisive.decision, summary.results.sweep.parts
    if any(part.status == "stopped" for part in parts):
        return "not settled in the time given"
    if decided is not None and decided.next is None:
        what = "finished without a pick" if summary.unpicked else "not settled"
        return f"{what} after all {max(summary.results.repeats.values())} repeats"
    return "not settled yet"


def progress(summary: Summary) -> list[str]:
    """Sentences on a sweep that was stopped or is unfinished; nothing on one that is complete."""
    sweep = summary.results.sweep
    said = []
    stopped = [part.name for part in sweep.parts if part.status == "stopped"]
    unfinished = [part.name for part in sweep.parts if part.status not in ("stopped", "complete")]
    names = [*stopped, *unfinished]
    # the file, not the name, since only shipped sweeps run by name
    files = f"the sweep {'file' if len(names) == 1 else 'files'} of {listed(names)}" if names else ""
    again = f'"decaybench run" with {files} continues it.'
    if stopped:
        said.append(f"A time limit ended the search; {again}")
    elif unfinished and any(run.done for run in summary.results.runs):
        said.append(f"The sweep is unfinished{_last_look(summary)}; {again}")
    failed = [run for run in summary.results.runs if run.outcome == "failed"]
    for why, of in groupby(sorted(failed, key=lambda run: run.reason or ""), lambda run: run.reason):
        runs = list(of)
        who = listed([label for label in summary.results.sweep.arms if any(run.strategy == label for run in runs)])
        because = f" ({why})" if why else ""
        said.append(f'{count(len(runs), "run")} of {who} failed{because}; the next "decaybench run" tries them again.')
    return said


def _last_look(summary: Summary) -> str:
    taken = summary.decisive.taken
    return f", and this is its last look, after {count(taken[-1], 'repeat')}" if taken else ""
