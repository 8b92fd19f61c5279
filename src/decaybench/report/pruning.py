"""What pruning did, and how often it was wrong: counted on the runs that it spared."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from decaybench.compare import Interval, wilson
from decaybench.report.results import Results
from decaybench.report.summary import Summary
from decaybench.report.words import bounds, count, number, percent


class Pruned(NamedTuple):
    """One strategy's slots at one length, over all repeats, as far as they are done.

    ``spared`` runs were worse than their group's median at the rung and yet trained to their ends. ``false_prunes`` of
    them ended as the best slot of their repeat: had all been stopped, a winner would have been lost. ``no_worse`` ended
    no worse than the median of the repeat's slots that were trained to their ends. ``rate`` is the share of false
    prunes with its Wilson interval, NaN without bounds where none was spared. It errs on the high side: the stopped
    might have won in a spared one's place.
    """

    label: str
    length: float
    slots: int
    stopped: int
    spared: int
    false_prunes: int
    no_worse: int
    rate: Interval


def pruning(results: Results) -> list[Pruned]:
    """One entry a length and strategy, in the sweep file's order; none where pruning was not asked for."""
    if _asked(results) is None:
        return []
    return [_pruned(results, s.label, length) for length in results.lengths for s in results.strategies]


def pruning_sentence(summary: Summary) -> str | None:
    """What pruning did to the whole sweep, in words; None where it was not asked for."""
    asked, rows = _asked(summary.results), pruning(summary.results)
    if asked is None:
        return None
    slots, stopped, spared, wrong = (
        sum(getattr(row, name) for row in rows) for name in ("slots", "stopped", "spared", "false_prunes")
    )
    when = "half-way" if asked == 0.5 else f"at {percent(asked)} of their epochs"
    said = f"Pruning stopped {stopped:,} of {count(slots, 'slot')} {when}"
    if not spared:
        return f"{said}; none was spared, so how often that was wrong is not known."
    rate = wilson(wrong, spared)
    were = "was" if spared == 1 else "were"
    share = f"{number('accuracy', rate.mean)}%, {bounds('accuracy', rate)}%"
    return f"{said}; of the {spared:,} that {were} spared {wrong:,} would have won ({share})."


def _asked(results: Results) -> float | None:
    """The fraction of a run's epochs at which pruning was asked for."""
    asked = results.sweep["spec"]["search"].get("prune")
    return None if asked is None else float(asked["at"])


def _pruned(results: Results, label: str, length: float) -> Pruned:
    done = [run for run in results.of("search", label, length) if run.done]
    best = {run.id for run in results.winners(label, length)}
    costs: dict[int, dict[str, float]] = {}  # of those trained to their ends, by repeat; lower is better
    for run in done:
        value = run.value("validation", results.metric)
        if value is not None and not run.stopped:
            costs.setdefault(run.repeat, {})[run.id] = -value if results.metric == "accuracy" else value
    middle = {repeat: median(mine.values()) for repeat, mine in costs.items()}
    spared = [run for run in done if run.pruned == "spared"]
    wrong = sum(run.id in best for run in spared)
    return Pruned(
        label=label,
        length=length,
        slots=len(done),
        stopped=sum(run.stopped for run in done),
        spared=len(spared),
        false_prunes=wrong,
        no_worse=sum(costs[run.repeat][run.id] <= middle[run.repeat] for run in spared),
        rate=wilson(wrong, len(spared)),
    )
