"""The one configuration to take: that of the first strategy, from the repeat with the best retrained mean."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from decaybench.errors import UserError
from decaybench.findings.results import DIGITS, Run
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS


class Pick(NamedTuple):
    """The strategy's row, and the first confirm run of its best repeat, whose ``params`` are the configuration.

    It was retrained on ``seeds`` seeds, of which ``diverged`` diverged; ``mean`` is the metric's mean over all of them.
    ``level`` lists the strategies that share its rank.
    """

    row: Row
    run: Run
    seeds: int
    diverged: int
    mean: float
    level: tuple[str, ...]


def pick(summary: Summary, strategy: str | None = None) -> Pick:
    """The best configuration at the longest length, of all strategies or of one ``strategy``.

    In an adaptive sweep it is that of the best repeat. Raises UserError for an unknown strategy, if nothing has been
    retrained yet, or if all of the configuration's confirm runs diverged.
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
            f"sweep {name}: no configuration of {strategy or 'any strategy'} has been retrained yet;"
            " decaybench run continues the sweep"
        )
    # An adaptive sweep does not rank strategies: its answer is the configuration of its best repeat.
    row = max(rows, key=lambda r: float(np.nanmax(sign * r.by_repeat))) if summary.adaptive else rows[0]
    label = row.strategy.label
    best = int(np.nanargmax(sign * np.round(row.by_repeat, DIGITS)))  # the first of equal ones
    confirmed = [run for run in results.of("confirm", label, length) if run.done and run.repeat == best]
    if all(run.diverged for run in confirmed):
        raise UserError(f"sweep {name}: every retrained run of {label} diverged: no configuration to export")
    level = [other.strategy.label for other in summary.at(length) if other.rank == row.rank and other is not row]
    lost = sum(run.diverged for run in confirmed)
    return Pick(row, confirmed[0], len(confirmed), lost, float(row.by_repeat[best]), tuple(level))
