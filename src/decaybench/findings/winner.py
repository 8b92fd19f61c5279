"""The one setting to take: the first strategy's, of the repeat whose confirmed mean is best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decaybench.errors import UserError
from decaybench.findings.results import DIGITS, Run
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS


class Pick(NamedTuple):
    """The strategy's row, and the first of the confirmed runs of its best repeat, whose ``params`` are the setting.

    ``seeds`` were confirmed there, ``diverged`` of them were lost, and ``mean`` is the metric's over all of them.
    ``level`` are the strategies that share its rank.
    """

    row: Row
    run: Run
    seeds: int
    diverged: int
    mean: float
    level: tuple[str, ...]


def pick(summary: Summary, strategy: str | None = None) -> Pick:
    """The winner at the longest length, or that of one ``strategy``; of an adaptive sweep, the best repeat's setting.

    Raises UserError for a strategy that is none, where nothing is confirmed, or all of its confirm runs diverged.
    """
    results = summary.results
    name, length = results.sweep.name, results.longest
    sign = METRICS[results.metric].sign
    known = [each.label for each in results.strategies]
    if strategy is not None and strategy not in known:
        raise UserError(f"--strategy: must be one of {', '.join(known)}, got {strategy!r}")
    rows = [r for r in summary.ranked(length) if strategy in (None, r.strategy.label) and r.repeats_done]
    if not rows:
        raise UserError(
            f"sweep {name}: nothing is confirmed yet of {strategy or 'any strategy'}; decaybench run goes on with it"
        )
    # An adaptive sweep ranks no strategies: what it found is its best repeat's setting, whosever it is.
    row = max(rows, key=lambda r: float(np.nanmax(sign * r.by_repeat))) if summary.adaptive else rows[0]
    label = row.strategy.label
    best = int(np.nanargmax(sign * np.round(row.by_repeat, DIGITS)))  # of equal ones the first
    confirmed = [run for run in results.of("confirm", label, length) if run.done and run.repeat == best]
    if all(run.diverged for run in confirmed):
        raise UserError(f"sweep {name}: every confirmed run of {label} diverged: no setting to export")
    level = [other.strategy.label for other in summary.at(length) if other.rank == row.rank and other is not row]
    lost = sum(run.diverged for run in confirmed)
    return Pick(row, confirmed[0], len(confirmed), lost, float(row.by_repeat[best]), tuple(level))
