"""What pruning did, and how often it was wrong: counted on the runs that it spared."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from decaybench.compare import Interval, wilson
from decaybench.findings.results import Results
from decaybench.metrics import METRICS


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
    if results.sweep.search.prune is None:
        return []
    return [_pruned(results, s.label, length) for length in results.lengths for s in results.strategies]


def _pruned(results: Results, label: str, length: float) -> Pruned:
    done = [run for run in results.of("search", label, length) if run.done]
    best = {run.id for run in results.winners(label, length)}
    costs: dict[int, dict[str, float]] = {}  # of those trained to their ends, by repeat; lower is better
    for run in done:
        value = run.value("validation", results.metric)
        if value is not None and not run.stopped:
            costs.setdefault(run.repeat, {})[run.id] = -METRICS[results.metric].sign * value
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
