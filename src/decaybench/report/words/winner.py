"""Where the best configuration comes from and what to expect of it, in sentences."""

from __future__ import annotations

from decaybench.findings.summary import Summary
from decaybench.findings.winner import Pick
from decaybench.report.words.numbers import count, listed, value


def found(summary: Summary, pick: Pick) -> list[str]:
    """For the head of an export: its result, how it was selected, and the rank of its strategy."""
    metric, mean = summary.results.metric, pick.row.confirmed[summary.results.metric]
    assert mean is not None  # a row with a confirmed run has a mean
    lost = f", {pick.diverged} of which diverged" if pick.diverged else ""
    said = [
        f"Test {metric} {value(metric, pick.mean)} after retraining, the mean of {count(pick.seeds, 'seed')}{lost}."
    ]
    if pick.row.repeats_done > 1:
        said.append(
            f"It is the best configuration of {pick.row.repeats_done} repeats, so expect a little less: the mean over "
            f"the repeats is {value(metric, mean.mean)}."
        )
    rows = summary.at(pick.row.length)
    tied = f", tied with {listed(pick.level)}" if pick.level else ""
    if summary.adaptive:
        said.append("The sweep searched for one good configuration and did not compare strategies.")
    elif len(rows) > 1:
        said.append(f"The strategy ranks {pick.row.rank} of {len(rows)}{tied}; the report says how sure that is.")
    if not summary.results.sweep.complete:
        said.append("The sweep is unfinished, so this may change.")
    return said
