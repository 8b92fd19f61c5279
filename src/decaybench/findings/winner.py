"""The one configuration to take: that of the pick, or of a strategy that is asked for, chosen by validation."""

from __future__ import annotations

from typing import NamedTuple

from decaybench.errors import UserError
from decaybench.findings.results import Run
from decaybench.findings.retraining import Retrained, configurations
from decaybench.findings.summary import Row, Summary


class Pick(NamedTuple):
    """The strategy's row, and the trial whose ``params`` are the configuration.

    ``retrained`` is None where the configuration was not retrained, and is the best trial by validation alone.
    """

    row: Row
    run: Run
    retrained: Retrained | None


def pick(summary: Summary, strategy: str | None = None) -> Pick:
    """The configuration to take at the longest length: the pick's, without one the leader's, or a ``strategy``'s.

    Raises UserError for an unknown strategy, if no repeat is closed yet, or if all of its trials diverged.
    """
    results = summary.results
    name, known = results.sweep.name, [each.label for each in results.strategies]
    if strategy is not None and strategy not in known:
        raise UserError(f"--strategy: must be one of {', '.join(known)}, got {strategy!r}")
    rows = [row for row in summary.ranked() if strategy in (None, row.strategy.label)]
    if summary.adaptive:  # it ranks no strategies: its answer is what retraining chose, or the best trial of all
        best = configurations(results, [row.strategy.label for row in rows], 1)
        reported = [row for row in rows if row.retrained is not None and row.retrained.further]
        rows = reported or [row for row in rows if best and row.strategy.label == best[0].strategy]
    tried = [row for row in rows if results.trials(row.strategy.label, results.longest)]
    if not tried or not tried[0].repeats:
        raise UserError(
            f"sweep {name}: no repeat of {strategy or 'every strategy'} is complete yet; "
            "decaybench run continues the sweep"
        )
    row = tried[0]
    retrained = row.retrained if row.retrained is not None and row.retrained.chosen is not None else None
    chosen = retrained.chosen if retrained is not None else None
    run = chosen or configurations(results, [row.strategy.label], 1)[0]
    if run.diverged:
        raise UserError(f"sweep {name}: every trial of {row.strategy.label} diverged: no configuration to export")
    return Pick(row, run, retrained)
