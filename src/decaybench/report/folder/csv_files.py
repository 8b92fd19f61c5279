"""The report's tables as text; floats are Python's repr, so nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from decaybench.findings.summary import Row, Summary
from decaybench.metrics import METRICS
from decaybench.report.words.verdicts import reason

if TYPE_CHECKING:
    from decaybench.store import RunRow

VERDICTS = (
    *("a", "b", "length", "metric", "difference", "low", "high"),
    *("p_adjusted", "p_better", "verdict", "reason", "repeats", "se", "repeats_needed"),
)
LOOKS = (
    *("sweep", "length", "step", "look", "spent", "margin", "margin_source", "until"),
    *("strategy", "repeats", "estimate", "bound", "state", "leader", "pick", "settled", "trained_next"),
)


def summary_csv(summary: Summary) -> str:
    """One row per length and strategy, in the sweep file's order.

    ``estimate`` is the expected test result of a search in the sweep's metric, ``low`` and ``high`` its unadjusted 95%
    interval; ``test_<metric>`` and its bounds are the same for each metric. With 95% confidence the strategy is at most
    ``bound`` below the best. ``trials_done`` of its trials are in the repeats that enter these numbers; ledger.csv
    counts all. ``mean_all`` and ``mean_finished`` are the mean test results of these trials, and of those that did not
    diverge. ``diverged_low`` and ``diverged_high`` are the Wilson interval of the share that diverged.
    ``learning_rate`` is the geometric mean of the best trials' base learning rates.

    ``retrained`` is the mean test result of the configuration that was chosen from ``chosen_of``, over
    ``retrained_runs`` on fresh seeds. ``failures`` of the ``choosing_runs`` failed.
    """
    lines = [_summary_row(row, summary.results.metric) for row in summary.rows]
    return _csv(list(lines[0]), (line.values() for line in lines))


def _summary_row(row: Row, metric: str) -> dict[str, Any]:
    again = row.retrained
    found = row.estimates[metric]
    return {
        "strategy": row.strategy.label,
        "schedule": row.strategy.schedule,
        "family": row.strategy.family,
        "length": row.length,
        "rank": row.rank,
        "repeats": row.repeats,
        "estimate": found and found.mean,
        "low": found and found.low,
        "high": found and found.high,
        "bound": row.bound,
        "state": row.state,
        "parked": row.parked,
        "retrained": again and again.mean,
        "retrained_runs": len(again.further) if again else 0,
        "chosen_of": len(again.configurations) if again else 0,
        "choosing_runs": len(again.choosing) if again else 0,
        "failures": again.failures if again else 0,
        "trials_planned": row.account.trials.planned,
        "trials_done": row.trials,
        "trials_diverged": row.lost,
        "trials_at_chance": row.at_chance,
        "diverged_low": row.diverged.low,
        "diverged_high": row.diverged.high,
        "mean_all": row.mean,
        "mean_finished": row.mean_finished,
        **{name: value for each in METRICS for name, value in _tested(each, row).items()},
        "learning_rate": row.learning_rate,
    }


def _tested(metric: str, row: Row) -> dict[str, float | None]:
    """A metric's estimate with its interval."""
    name, (mean, low, high) = f"test_{metric}", row.estimates[metric] or (None, None, None)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def ledger_csv(summary: Summary) -> str:
    """One row per length and strategy: the budget planned and used.

    It contains what depends on the machine and on interruptions, so that summary.csv does not.
    """
    lines = [_ledger_row(row) for row in summary.rows]
    return _csv(list(lines[0]), (line.values() for line in lines))


def _ledger_row(row: Row) -> dict[str, Any]:
    own = row.account
    entries = {"trials": own.trials, "confirm": own.confirm, "replay": own.replay}
    return {
        "strategy": row.strategy.label,
        "length": row.length,
        **{f"{name}_{key}": value for name, entry in entries.items() for key, value in entry._asdict().items()},
        "superseded_done": own.superseded,
        "updates_planned": own.planned,
        "updates_logical": own.logical,
        "updates_made": own.made,
        "updates_computed": own.computed,
        "extra_examples_forward": own.extra,
    }


def verdicts_csv(summary: Summary) -> str:
    """One row per length and pair that is tested, a before b in the sweep file's order.

    ``low`` and ``high`` are the repeated 95% interval of the difference, which is positive where a is better, and
    ``se`` its standard error. ``repeats`` are those that the two have in common at their last look.
    """
    rows = (
        (
            *(pair.a, pair.b, pair.length, pair.metric, pair.difference, pair.low, pair.high),
            *(pair.p_adjusted, pair.p_better, pair.verdict, reason(pair.reason, pair.metric)),
            *(pair.repeats, pair.error, pair.repeats_needed),
        )
        for pair in summary.pairs
    )
    return _csv(VERDICTS, rows)


def looks_csv(summary: Summary) -> str:
    """One row per look and strategy, as they were written down when the look at the longest length was taken.

    ``look`` is the number of repeats after which it was due, and ``spent`` the share of the error that it and all
    before it have spent. ``trained_next`` are the repeats up to which the strategy was trained next.
    """
    sign, rows = METRICS[summary.results.metric].sign, []
    for part, looks in zip(summary.results.sweep.parts, summary.results.looks, strict=True):
        for look in looks:
            own = (part.name, look.length, look.step, look.repeats, look.spent, look.margin, look.margin_source)
            decided, following = look.outcome, look.trained_next
            for label in part.file.strategies:
                known = look.strategies[label]
                rows.append(
                    (
                        *(*own, decided["until"], part.labels[label]),
                        *(known["repeats"], sign * known["estimate"], known["bound"], known["state"]),
                        *(decided["leader"] == label, decided["pick"] == label, decided["settled"]),
                        following["repeats"] if label in following.get("members", ()) else None,
                    )
                )
    return _csv(LOOKS, rows)


def runs_csv(runs: Sequence[RunRow]) -> str:
    """Every row of ``runs`` with all its data, superseded ones too; ``params`` as JSON with sorted keys."""
    from decaybench.store import RunRow, data_columns

    columns = data_columns(RunRow)
    return _csv(columns, ([_stored(name, getattr(row, name)) for name in columns] for row in runs))


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
