"""summary.csv, verdicts.csv, ledger.csv and runs.csv as text; floats are Python's repr, so nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from decaybench.compare import Interval
from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS, Metric
from decaybench.report.words.verdicts import reason

if TYPE_CHECKING:
    from decaybench.store import RunRow

VERDICTS = (
    *("a", "b", "length", "metric", "difference", "low", "high"),
    *("p_adjusted", "p_better", "verdict", "reason", "p_better_unpaired", "detectable", "repeats_needed"),
)


def summary_csv(summary: Summary) -> str:
    """One row per length and strategy, in the sweep file's order.

    ``best_validation_<metric>_optimistic`` is the mean validation result of the repeats' best trials, which were
    selected on it. ``test_<metric>_survivors`` is the mean without diverged runs, which otherwise count as chance.
    ``test_<metric>_iqm`` is the interquartile mean of all retraining runs. ``learning_rate`` is the geometric mean of
    the best trials' base learning rates. ``diverged_low`` and ``diverged_high`` are the Wilson interval of the share of
    trials that diverged. A column named ``slots_...`` counts trials, and one named ``confirm_...`` retraining runs.
    """
    lines = [_summary_row(row, summary.results.metric) for row in summary.rows]
    return _csv(list(lines[0]), (line.values() for line in lines))


def _summary_row(row: Row, metric: str) -> dict[str, Any]:
    slots, confirm = row.account.slots, row.account.confirm
    return {
        "strategy": row.strategy.label,
        "schedule": row.strategy.schedule,
        "family": row.strategy.family,
        "length": row.length,
        "slots_planned": slots.planned,
        "slots_done": slots.done,
        "slots_diverged": slots.diverged,
        "slots_at_chance": row.slots_at_chance,
        f"best_validation_{metric}_optimistic": row.best_validation,
        "confirm_planned": confirm.planned,
        "confirm_done": confirm.done,
        "confirm_diverged": confirm.diverged,
        **{name: value for each in METRICS.values() for name, value in _tested(each, row).items()},
        "learning_rate": row.learning_rate,
        "rank": row.rank,
        f"test_{metric}_survivors": row.survivors,
        f"test_{metric}_iqm": row.middle,
        "diverged_low": row.diverged.low,
        "diverged_high": row.diverged.high,
    }


def _tested(metric: Metric, row: Row) -> dict[str, float | None]:
    """A metric's confirmed result; its interval as well, where a greatest value cuts it."""
    mean, low, high = _three(row.confirmed[metric.name])
    name = f"test_{metric.name}"
    return {name: mean} | ({f"{name}_low": low, f"{name}_high": high} if metric.bounded else {})


def ledger_csv(summary: Summary) -> str:
    """One row per length and strategy: the budget planned and used.

    It contains what depends on the machine and on interruptions, so that summary.csv does not.
    """
    lines = [_ledger_row(row) for row in summary.rows]
    return _csv(list(lines[0]), (line.values() for line in lines))


def _ledger_row(row: Row) -> dict[str, Any]:
    own = row.account
    entries = {"slots": own.slots, "confirm": own.confirm, "replay": own.replay}
    return {
        "strategy": row.strategy.label,
        "length": row.length,
        **{f"{name}_{key}": value for name, entry in entries.items() for key, value in entry._asdict().items()},
        "updates_planned": own.planned,
        "updates_logical": own.logical,
        "updates_made": own.made,
        "updates_computed": own.computed,
        "extra_examples_forward": own.extra,
    }


def verdicts_csv(summary: Summary) -> str:
    """One row per length and unordered pair, a before b in file order, then the length's family row."""
    rows = (
        (
            *(
                p.a,
                p.b,
                p.length,
                p.metric,
                *_three(p.difference),
                p.p_adjusted,
                p.p_better,
                p.verdict,
                reason(p.reason, p.metric),
            ),
            *(p.p_better_unpaired, p.detectable, p.repeats_needed),
        )
        for p in summary.pairs
    )
    return _csv(VERDICTS, rows)


def runs_csv(runs: Sequence[RunRow]) -> str:
    """Every row of ``runs`` with all its data, superseded ones too; ``params`` as JSON with sorted keys."""
    from decaybench.store import RunRow, data_columns

    columns = data_columns(RunRow)
    return _csv(columns, ([_stored(name, getattr(row, name)) for name in columns] for row in runs))


def _three(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return interval or (None, None, None)


def _stored(column: str, value: Any) -> Any:
    if column == "params" and value is not None:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
