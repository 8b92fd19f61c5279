"""A look as the row of ``looks`` that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from decaybench.findings.results import DIGITS
from decaybench.findings.standing import Standing
from decaybench.findings.summary import Summary
from decaybench.findings.sweep import Rules

if TYPE_CHECKING:
    from decaybench.store import LookRow


def look_row(
    summary: Summary, standing: Standing, step: int, sweep_id: str, rules: Rules, following: Mapping[str, Any]
) -> LookRow:
    """The row of a look at one length; ``following`` is what is trained next. Numbers are rounded.

    The look must have a decision, so it is for a balanced sweep that meets the minimum for statements.
    """
    from decaybench.store import LookRow

    decided, contest, margin = standing.decision, standing.contest, standing.margin
    assert decided is not None and contest is not None and margin is not None
    named = standing.labels
    return LookRow(
        sweep_id=sweep_id,
        length=standing.length,
        step=step,
        repeats=max(contest.repeats),
        spent=round(standing.looks[standing.level - 1].spent, DIGITS),
        margin=round(margin, DIGITS),
        strategies={
            row.strategy.label: {
                "repeats": row.repeats,
                "estimate": round(contest.estimate(s).value, DIGITS),
                "bound": round(float(contest.bounds[s]), DIGITS),
                "state": row.state,
            }
            for s, row in enumerate(summary.at(standing.length))
        },
        trained_next=dict(following),
        to_repeats=rules.to,
        margin_source=standing.margin_source,
        outcome={
            "until": rules.until,
            "leader": named[decided.leader],
            "pick": None if decided.pick is None else named[decided.pick],
            "settled": decided.settled,
        },
    )
