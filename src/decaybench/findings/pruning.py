"""What pruning did, and how often it was wrong, estimated from the runs that it spared."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from decaybench.compare import Interval, wilson
from decaybench.findings.results import Results
from decaybench.metrics import METRICS


class Pruned(NamedTuple):
    """One strategy's trials at one length that are done, over all repeats (``slots`` of them).

    ``spared`` trials were worse than their group's median at the rung, yet were trained to the end:

    * ``false_prunes`` of them became the best trial of their repeat: without sparing, it would have been lost.
    * ``no_worse`` of them ended no worse than the median of the repeat's trials that were trained to the end.

    ``rate`` is the share of false prunes with its Wilson interval, NaN without bounds if none was spared. It is an
    overestimate: a stopped trial might have ended better than the spared one.
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
    """One entry per length and strategy, in the order of the sweep file; none in a sweep without pruning."""
    if results.sweep.search.prune is None:
        return []
    return [_pruned(results, s.label, length) for length in results.lengths for s in results.strategies]


def _pruned(results: Results, label: str, length: float) -> Pruned:
    done = [run for run in results.trials(label, length) if run.done]
    best = {run.id for run in results.best(label, length)}
    costs: dict[int, dict[str, float]] = {}  # of trials trained to the end, by repeat; lower is better
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
