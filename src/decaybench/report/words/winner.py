"""Where a winner's setting comes from and what may be expected of it, in sentences."""

from __future__ import annotations

from decaybench.findings.summary import Summary
from decaybench.findings.winner import Pick
from decaybench.report.words.numbers import count, listed, value


def found(summary: Summary, pick: Pick) -> list[str]:
    """For the head of an export: its result, how it was selected, and how its strategy stands."""
    metric, mean = summary.results.metric, pick.row.confirmed[summary.results.metric]
    assert mean is not None  # a row with a confirmed run has a mean
    lost = f", {pick.diverged} of which diverged" if pick.diverged else ""
    said = [f"Confirmed test {metric} {value(metric, pick.mean)}, the mean of {count(pick.seeds, 'seed')}{lost}."]
    if pick.row.repeats_done > 1:
        said.append(
            f"It is the best of {pick.row.repeats_done} repeats' winners, so expect a little less: their mean is "
            f"{value(metric, mean.mean)}."
        )
    rows = summary.at(pick.row.length)
    tied = f", level with {listed(pick.level)}" if pick.level else ""
    if summary.adaptive:
        said.append("The sweep searched for one good setting and compared no strategies.")
    elif len(rows) > 1:
        said.append(f"The strategy is number {pick.row.rank} of {len(rows)}{tied}; the report says how sure that is.")
    if not summary.results.sweep.complete:
        said.append("The sweep is unfinished: that may change.")
    return said
