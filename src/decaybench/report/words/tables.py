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
from decaybench.report import words
from decaybench.report.words.verdicts import reason


class Table(NamedTuple):
    """A table of words; ``text`` are the columns that hold labels and sentences, the rest are numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[int, ...] = (0,)


def results_table(summary: Summary, length: float) -> Table:
    metric = summary.results.metric
    other = "loss" if metric == "accuracy" else "accuracy"

    def line(row: Row) -> tuple[str, ...]:
        mean, second = row.confirmed(metric), row.confirmed(other)
        named = row.strategy.optimizer if row.strategy.family == NO_SCHEDULE else row.strategy.schedule
        kind = "" if named == row.strategy.label else f"{named}, "
        return (
            "-" if row.rank is None else str(row.rank),
            row.strategy.label,
            f"{kind}{row.strategy.family}{', control' if row.strategy.control else ''}",
            words.number(metric, mean.mean if mean else None),
            words.bounds(metric, mean) or "-",
            words.number(other, second.mean if second else None),
            words.number(metric, row.survivors),
            f"{row.account.confirm.diverged} of {row.account.confirm.done}",
            f"{row.account.slots.diverged}, {row.slots_at_chance} of {row.account.slots.done}",
            words.number(metric, row.best_validation),
            words.rate(row.learning_rate),
        )

    unit = {"accuracy": "%", "loss": "nats"}
    header = (
        *("rank", "strategy", "kind and family", f"test {metric}, {unit[metric]}", "95% interval"),
        *(f"test {other}, {unit[other]}", f"survivors' test {metric}", "confirm runs diverged"),
        "slots diverged, at chance",
        *(f"winners' validation {metric} (optimistic)", "selected learning rate"),
    )
    rows = tuple(line(row) for row in summary.ranked(length))
    caption = f"Confirmed results{at(summary, length)}, the best first"
    if summary.adaptive:
        caption = f"Confirmed results{at(summary, length)} of the settings found: not a comparison"
    return Table(caption, header, rows, text=(1, 2))


def winners_table(summary: Summary, length: float) -> Table:
    """What every repeat selected: the settings themselves, as they would be typed into a sweep."""
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

    header = ("strategy", "repeat", "learning rate", "settings", f"validation {metric}", f"test {metric}")
    rows = tuple(
        line(row, run)
        for row in summary.at(length)
        for run in sorted(results.winners(row.strategy.label, length), key=lambda run: run.repeat)
    )
    return Table(f"Selected settings{at(summary, length)}, in native units", header, rows, text=(0, 3))


def pairs_table(summary: Summary, length: float) -> tuple[Table, str]:
    """The table of pairs, and the reason for which none of them has a verdict, where they share it."""
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

    header = ("a", "b", "a is ahead by", "unadjusted 95% interval", "adjusted p", "share of repeats a ahead", "verdict")
    families = sum(pair.a.startswith("family:") for pair in pairs)
    caption = f"Every pair{at(summary, length)}: {words.count(len(pairs) - families, 'pair')}"
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
        *("strategy", "slots done", "confirm runs done", "replays done", "logical updates", "updates made"),
        *("of these computed", "extra examples its rule asks for", "diverged", "failed", "trained again"),
    )
    return Table("Ledger: planned and done", header, tuple(line(row) for row in summary.rows))


def at(summary: Summary, length: float) -> str:
    return f" at {words.percent(length)} of the epochs" if len(summary.results.lengths) > 1 else ""


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def replays_table(summary: Summary, length: float) -> Table:
    """Reactive strategies against their recorded learning rates; no row where nothing was replayed."""
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
    return Table(f"Reacting against the recorded learning rates{at(summary, length)}", header, rows, text=(0, 4, 5))


def pruning_table(summary: Summary) -> Table:
    """What pruning did to every strategy; no row where it was not asked for."""
    several = len(summary.results.lengths) > 1

    def wrong(each: Pruned) -> str:
        share = f"{words.value('accuracy', each.rate.mean)}, {words.bounds('accuracy', each.rate)}%"
        return f"{each.false_prunes:,} ({share})"

    rows = tuple(
        (
            each.label + (f" at {words.percent(each.length)}" if several else ""),
            f"{each.stopped:,} of {each.slots:,}",
            f"{each.spared:,}",
            *((wrong(each), f"{each.no_worse:,}") if each.spared else ("-", "-")),
        )
        for each in pruning(summary.results)
    )
    header = ("strategy", "slots stopped", "spared", "of these would have won (share, 95% interval)")
    return Table("What pruning did", (*header, "of these no worse than the median"), rows)


def edges_table(summary: Summary) -> Table:
    """Every searched parameter that some repeat's winner has at the end of its range."""
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
    return Table("Winners at the end of a range", ("strategy", "parameter", "end", "repeats"), rows, text=(0, 1, 2))


def pace_table(summary: Summary, length: float) -> Table:
    """How fast strategies get to where the control ends, and how often they are near the best."""
    rows = tuple(
        (
            pace.label,
            "-" if pace.reached is None else f"{pace.reached} of {pace.runs}",
            "-" if pace.updates is None else "never" if math.isinf(pace.updates) else f"{pace.updates:,.0f}",
            "-" if pace.steady is None else f"{pace.steady:.0%}",
        )
        for pace in times_to_target(summary, length)
    )
    near = words.exact(summary.results.metric, summary.results.rope)
    header = ("strategy", "runs that reached it", "median updates", f"repeats within {near} of the best")
    return Table(f"Pace: to the control's final validation loss, and steadiness{at(summary, length)}", header, rows)
