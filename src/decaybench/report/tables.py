"""summary.csv, verdicts.csv and runs.csv as text; floats print as Python's repr, so nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from decaybench.compare import Interval
from decaybench.report.results import records
from decaybench.report.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = (
    *("a", "b", "length", "metric", "difference", "low", "high"),
    *("p_adjusted", "p_better", "verdict", "reason", "p_better_unpaired", "detectable", "repeats_needed"),
)
# a frame holds whole numbers that may be missing as floats
WHOLE = frozenset({"trial_number", "diverged_step", "stack", "updates_computed"})


def summary_csv(summary: Summary) -> str:
    """One row a length and strategy, in the sweep file's order.

    ``best_validation_<metric>_optimistic`` is the mean search score of the repeats' winners, which were
    selected on it; ``learning_rate`` the geometric mean of the winners' base learning rates.
    """
    header = [
        *(
            "strategy",
            "schedule",
            "family",
            "length",
            "slots_planned",
            "slots_done",
            "slots_diverged",
            "slots_at_chance",
        ),
        *(f"best_validation_{summary.results.metric}_optimistic", "confirm_planned", "confirm_done"),
        *("confirm_diverged", "test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_loss"),
        *("learning_rate", "rank"),
    ]
    rows = (
        (
            *(row.strategy.label, row.strategy.schedule, row.strategy.family, row.length),
            *(
                row.account.slots.planned,
                row.account.slots.done,
                row.account.slots.diverged,
                row.slots_at_chance,
                row.best_validation,
            ),
            *(row.account.confirm.planned, row.account.confirm.done, row.account.confirm.diverged),
            *_three(row.accuracy),
            row.loss.mean if row.loss else None,
            row.learning_rate,
            row.rank,
        )
        for row in summary.rows
    )
    return _csv(header, rows)


def verdicts_csv(summary: Summary) -> str:
    """One row a length and unordered pair, a before b in file order, then the length's family row."""
    rows = (
        (
            *(p.a, p.b, p.length, p.metric, *_three(p.difference), p.p_adjusted, p.p_better, p.verdict, p.reason),
            *(p.p_better_unpaired, p.detectable, p.repeats_needed),
        )
        for p in summary.pairs
    )
    return _csv(VERDICTS, rows)


def runs_csv(runs: pd.DataFrame) -> str:
    """Every row of ``runs`` with all columns, superseded ones too; ``params`` as JSON with sorted keys."""
    columns = list(runs.columns)
    return _csv(columns, ([_stored(name, row[name]) for name in columns] for row in records(runs)))


def _three(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return interval or (None, None, None)


def _stored(column: str, value: Any) -> Any:
    if column == "params" and value is not None:
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    if column in WHOLE and value is not None:
        return int(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
