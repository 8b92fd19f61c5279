"""The report's tables as words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from decaybench.findings.boundaries import boundaries
from decaybench.findings.pairs import Pair
from decaybench.findings.pruning import Pruned, pruning
from decaybench.findings.replays import replays
from decaybench.findings.results import Run
from decaybench.findings.summary import Row, Summary
from decaybench.findings.sweep import NO_SCHEDULE
from decaybench.findings.time_to_target import times_to_target
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.words.verdicts import reason


class Table(NamedTuple):
    """A table of words; the columns in ``text`` hold labels and sentences, the others numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[int, ...] = (0,)


def results_table(summary: Summary, length: float) -> Table:
    metric = summary.results.metric
    others = [name for name in METRICS if name != metric]

    def line(row: Row) -> tuple[str, ...]:
        mean = row.confirmed[metric]
        named = row.strategy.optimizer if row.strategy.family == NO_SCHEDULE else row.strategy.schedule
        kind = "" if named == row.strategy.label else f"{named}, "
        return (
            "-" if row.rank is None else str(row.rank),
            row.strategy.label,
            f"{kind}{row.strategy.family}{', control' if row.strategy.control else ''}",
            words.number(metric, mean.mean if mean else None),
            words.bounds(metric, mean) or "-",
            *(words.number(name, of.mean if (of := row.confirmed[name]) else None) for name in others),
            words.number(metric, row.survivors),
            f"{row.account.confirm.diverged} of {row.account.confirm.done}",
            f"{row.account.slots.diverged}, {row.slots_at_chance} of {row.account.slots.done}",
            words.number(metric, row.best_validation),
            words.rate(row.learning_rate),
        )

    header = (
        *("rank", "strategy", "schedule and family", f"test {METRICS[metric].label}", "95% interval"),
        *(f"test {METRICS[name].label}" for name in others),
        *(f"test {metric} without diverged runs", "retraining runs diverged"),
        "trials diverged, at chance",
        *(f"validation {metric} of best trials (optimistic)", "learning rate of best trials"),
    )
    rows = tuple(line(row) for row in summary.ranked(length))
    caption = f"Results after retraining{at(summary, length)}, best first"
    if summary.adaptive:
        caption = f"Results of the best configurations after retraining{at(summary, length)}: not a comparison"
    return Table(caption, header, rows, text=(1, 2))


def best_table(summary: Summary, length: float) -> Table:
    """The best configuration of every repeat, with values as a sweep file has them."""
    results = summary.results
    metric = results.metric

    def line(row: Row, run: Run) -> tuple[str, ...]:
        own = {k: v for k, v in run.params.items() if k not in ("learning_rate", "warmup", "warmup_start")}
        text = ", ".join(f"{name} {_short(value)}" for name, value in own.items() if value is not None)
        tested = row.by_repeat[run.repeat]
        return (
            row.strategy.label,
            str(run.repeat),
            words.rate(run.learning_rate),
            text,
            words.number(metric, run.value("validation", metric)),
            words.number(metric, float(tested) if math.isfinite(tested) else None),
        )

    header = ("strategy", "repeat", "learning rate", "other parameters", f"validation {metric}", f"test {metric}")
    rows = tuple(
        line(row, run)
        for row in summary.at(length)
        for run in sorted(results.winners(row.strategy.label, length), key=lambda run: run.repeat)
    )
    return Table(f"Best configurations{at(summary, length)}, in native units", header, rows, text=(0, 3))


def pairs_table(summary: Summary, length: float) -> tuple[Table, str]:
    """The table of pairs, and the reason why none has a verdict if it is the same for all."""
    pairs = [pair for pair in summary.pairs if pair.length == length]
    reasons = {(pair.verdict, pair.reason) for pair in pairs}
    same = len(reasons) == 1 and pairs[0].verdict == "no verdict"
    shared = reason(pairs[0].reason, pairs[0].metric) if same else ""

    def line(pair: Pair) -> tuple[str, ...]:
        return (
            pair.a,
            pair.b,
            words.signed_gap(pair.metric, pair.difference.mean) if pair.difference else "-",
            words.bounds(pair.metric, pair.difference, signed=True) or "-",
            "-" if pair.p_adjusted is None else words.p_value(pair.p_adjusted),
            "-" if pair.p_better is None else f"{pair.p_better:.2f}",
            pair.verdict,
            *([] if shared else [reason(pair.reason, pair.metric)]),
        )

    header = (
        "a",
        "b",
        "a is ahead by",
        "unadjusted 95% interval",
        "adjusted p",
        "share of repeats in which a is ahead",
        "verdict",
    )
    families = sum(pair.a.startswith("family:") for pair in pairs)
    caption = f"All pairs{at(summary, length)}: {words.count(len(pairs) - families, 'pair')}"
    caption += " and the families" if families else ""
    columns = header if shared else (*header, "reason")
    return Table(caption, columns, tuple(line(pair) for pair in pairs), text=(0, 1, 6, 7)), shared


def ledger_table(summary: Summary) -> Table:
    several = len(summary.results.lengths) > 1

    def line(row: Row) -> tuple[str, ...]:
        own = row.account
        entries = (own.slots, own.confirm, own.replay)
        return (
            row.strategy.label + (f" at {words.percent(row.length)}" if several else ""),
            *(f"{entry.done} of {entry.planned}" if entry.planned else "-" for entry in entries),
            "-" if own.planned is None or own.logical is None else f"{own.logical:,} of {own.planned:,}",
            f"{own.made:,}",
            "-" if own.computed is None else f"{own.computed:,}",
            f"{own.extra:,}" if own.extra else "-",
            *(str(sum(counts)) for counts in zip(*(entry[2:] for entry in entries), strict=True)),
        )

    header = (
        *("strategy", "trials done", "retraining runs done", "replays done", "logical updates", "updates made"),
        *("updates computed", "extra examples evaluated", "runs diverged", "runs failed", "runs restarted"),
    )
    return Table("Ledger: budget planned and used", header, tuple(line(row) for row in summary.rows))


def at(summary: Summary, length: float) -> str:
    return f" at {words.percent(length)} of the epochs" if len(summary.results.lengths) > 1 else ""


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def replays_table(summary: Summary, length: float) -> Table:
    """Reactive strategies against their recorded learning rates; no rows if nothing was replayed."""
    metric = summary.results.metric
    rows = tuple(
        (
            replay.label,
            words.signed_gap(metric, judged.difference.mean) if judged.difference else "-",
            words.bounds(metric, judged.difference, signed=True) or "-",
            "-" if judged.p_adjusted is None else words.p_value(judged.p_adjusted),
            judged.verdict,
            reason(judged.reason, metric),
        )
        for replay in replays(summary.results, length)
        for judged in [replay.judged]
    )
    header = ("strategy", "reacting is ahead by", "unadjusted 95% interval", "adjusted p", "verdict", "reason")
    return Table(
        f"Reacting compared with replaying the recorded learning rates{at(summary, length)}",
        header,
        rows,
        text=(0, 4, 5),
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
    header = ("strategy", "trials stopped", "trials spared", "of these the best of their repeat (share, 95% interval)")
    return Table("Pruning", (*header, "of these no worse than the median"), rows)


def boundaries_table(summary: Summary) -> Table:
    """Every searched parameter with the best trial of some repeat at an end of its range."""
    several = len(summary.results.lengths) > 1
    rows = tuple(
        (
            each.label + (f" at {words.percent(each.length)}" if several else ""),
            each.parameter,
            f"{each.end}, {words.rate(each.bound)}",
            f"{each.flagged} of {each.repeats}",
        )
        for each in boundaries(summary.results)
    )
    return Table(
        "Best configurations at a search-space boundary",
        ("strategy", "parameter", "boundary", "repeats"),
        rows,
        text=(0, 1, 2),
    )


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
    near = words.exact(summary.results.metric, summary.results.rope)
    header = ("strategy", "runs that reached it", "median updates", f"repeats within {near} of the best")
    return Table(
        f"Time to target{at(summary, length)}: updates until the control's final validation loss is reached",
        header,
        rows,
    )
