"""The tables on runs: best trials, retraining, the replay, time to target, pruning, boundaries and the ledger."""

from __future__ import annotations

import math
from typing import Any

from decaybench.findings.pruning import Pruned, pruning
from decaybench.findings.replays import replays
from decaybench.findings.results import Run
from decaybench.findings.retraining import Retrained
from decaybench.findings.summary import Row, Summary
from decaybench.findings.time_to_target import times_to_target
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.words.tables import Table, at


def best_table(summary: Summary, length: float) -> Table:
    """The best trial of every repeat, with values as a sweep file has them."""
    results = summary.results
    metric = results.metric

    def line(row: Row, run: Run) -> tuple[str, ...]:
        return (
            row.strategy.label,
            str(run.repeat),
            words.rate(run.learning_rate),
            _parameters(run),
            words.number(metric, run.value("validation", metric)),
            words.number(metric, run.value("test", metric)),
        )

    header = ("strategy", "repeat", "learning rate", "other parameters", f"validation {metric}", f"test {metric}")
    rows = tuple(
        line(row, run)
        for row in summary.at(length)
        for run in sorted(results.best(row.strategy.label, length), key=lambda run: run.repeat)
    )
    caption = f"Best trial of each repeat by validation{at(summary, length)}, in native units"
    return Table(caption, header, rows, text=(0, 3))


def retraining_table(summary: Summary) -> Table:
    """The configurations that were retrained, and the one that validation chose; no rows if there are none."""
    metric = METRICS[summary.results.metric]

    def line(again: Retrained) -> tuple[str, ...]:
        chosen = again.chosen
        share = f" ({words.share(again.failing)})" if again.choosing else ""
        return (
            again.label,
            str(len(again.configurations)),
            f"{again.failures} of {len(again.choosing)}{share}",
            words.rate(chosen.learning_rate) if chosen else "-",
            _parameters(chosen) if chosen else "-",
            str(len(again.further)),
            words.number(metric.name, again.mean),
        )

    header = (
        *("strategy", "configurations retrained", "choosing runs failed (share, 95% interval)"),
        *("learning rate chosen", "other parameters chosen", "further runs", f"mean of these: test {metric.label}"),
    )
    rows = tuple(line(row.retrained) for row in summary.ranked() if row.retrained is not None)
    return Table(f"What was retrained{at(summary, summary.results.longest)}, best first", header, rows, text=(0, 4))


def replays_table(summary: Summary) -> Table:
    """Each seed of the replayed strategy; no rows if nothing was replayed."""
    found, metric = None if summary.adaptive else replays(summary.results), summary.results.metric
    rows = (
        ()
        if found is None
        else (
            *((f"seed {i}", words.signed_gap(metric, d), "-") for i, d in enumerate(found.differences.tolist(), 1)),
            (
                f"mean of {words.count(found.differences.size, 'seed')}",
                words.signed_gap(metric, found.interval.mean),
                words.bounds(metric, found.interval, signed=True) or "-",
            ),
        )
    )
    caption = "Reacting compared with replaying recorded learning rates" + (f": {found.label}" if found else "")
    return Table(caption, ("", "reacting is ahead by", "95% interval"), rows)


def times_table(summary: Summary, length: float) -> Table:
    """How fast strategies reach the control's final loss, and how often they are near the best."""
    rows = tuple(
        (
            each.label,
            "-" if each.reached is None else f"{each.reached} of {each.runs}",
            "-" if each.updates is None else "never" if math.isinf(each.updates) else f"{each.updates:,.0f}",
            "-" if each.steady is None else f"{each.steady:.0%}",
        )
        for each in times_to_target(summary, length)
    )
    margin = summary.standings[length].margin
    near = "the margin" if margin is None else words.exact(summary.results.metric, margin)
    header = ("strategy", "best trials that reached it", "median updates", f"repeats within {near} of the best")
    return Table(
        f"Time to target{at(summary, length)}: updates until the validation loss first reaches the control's mean"
        " final one",
        header,
        rows,
    )


def pruning_table(summary: Summary) -> Table:
    """What pruning did to every strategy; no rows if the sweep does not prune."""
    several = len(summary.results.lengths) > 1

    def wrong(each: Pruned) -> str:
        return f"{each.false_prunes:,} ({words.share(each.rate)})"

    rows = tuple(
        (
            each.label + (f" at {words.percent(each.length)}" if several else ""),
            f"{each.stopped:,} of {each.slots:,}",
            f"{each.spared:,}",
            *((wrong(each), f"{each.no_worse:,}") if each.spared else ("-", "-")),
        )
        for each in pruning(summary.results)
    )
    header = ("strategy", "trials stopped", "trials spared", "spared trials that became best (share, 95% interval)")
    return Table("Pruning", (*header, "spared trials no worse than the median"), rows)


def boundaries_table(summary: Summary) -> Table:
    """Every searched parameter with the best trial of some repeat at an end of its range."""
    several = len(summary.results.lengths) > 1
    rows = tuple(
        (
            each.label + (f" at {words.percent(each.length)}" if several else ""),
            each.parameter,
            f"{each.end} = {words.rate(each.bound)}",
            f"{each.flagged} of {each.repeats}",
        )
        for each in summary.boundaries
    )
    return Table(
        "Best configurations at a search-space boundary",
        ("strategy", "parameter", "boundary", "repeats"),
        rows,
        text=(0, 1, 2),
    )


def ledger_table(summary: Summary) -> Table:
    """The budget planned and used; what was superseded has a column only where there is any."""
    several = len(summary.results.lengths) > 1
    former = any(row.account.superseded for row in summary.rows)

    def line(row: Row) -> tuple[str, ...]:
        own = row.account
        entries = (own.trials, own.confirm, own.replay)
        return (
            row.strategy.label + (f" at {words.percent(row.length)}" if several else ""),
            *(f"{entry.done} of {entry.planned}" if entry.planned else "-" for entry in entries),
            *([f"{own.superseded:,}"] if former else []),
            "-" if own.planned is None or own.logical is None else f"{own.logical:,} of {own.planned:,}",
            f"{own.made:,}",
            "-" if own.computed is None else f"{own.computed:,}",
            f"{own.extra:,}" if own.extra else "-",
            *(str(sum(counts)) for counts in zip(*(entry[2:] for entry in entries), strict=True)),
        )

    header = (
        *("strategy", "trials done", "retraining runs done", "replays done"),
        *(["superseded runs done"] if former else []),
        *("logical updates", "updates made", "updates computed", "extra examples evaluated"),
        *("runs diverged", "runs failed", "runs restarted"),
    )
    return Table("Ledger: budget planned and used", header, tuple(line(row) for row in summary.rows))


def _parameters(run: Run) -> str:
    own = {k: v for k, v in run.params.items() if k not in ("learning_rate", "warmup", "warmup_start")}
    return ", ".join(f"{name} = {_short(value)}" for name, value in own.items() if value is not None)


def _short(value: Any) -> str:
    """A value as a sweep file has it, with four figures."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
