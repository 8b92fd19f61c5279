"""The report's tables as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from decaybench.compare import Interval
from decaybench.compare.contest import LEVEL
from decaybench.findings.pairs import Pair
from decaybench.findings.summary import Row, Summary
from decaybench.findings.sweep import NO_SCHEDULE
from decaybench.metrics import METRICS
from decaybench.report import words
from decaybench.report.words.verdicts import reason

if TYPE_CHECKING:
    from decaybench.store import LookRow


class Table(NamedTuple):
    """A table of words; the columns in ``text`` hold labels and sentences, the others numbers."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[int, ...] = (0,)


def results_table(summary: Summary, length: float) -> Table:
    """Where each strategy stands, the leader first; without statements where every trial diverged."""
    metric = METRICS[summary.results.metric]
    most = max(row.repeats for row in summary.at(length))
    stated = not summary.all_diverged(length)

    def line(row: Row) -> tuple[str, ...]:
        again = row.retrained
        named = row.strategy.method if row.strategy.family == NO_SCHEDULE else row.strategy.schedule
        kind = "" if named == row.strategy.label else f"{named}, "
        failed = "-"
        if again is not None and again.choosing:
            failed = f"{again.failures} of {len(again.choosing)} ({words.share(again.failing)})"
        mean = "-" if again is None or again.mean is None else words.number(metric.name, again.mean)
        return (
            row.strategy.label,
            f"{kind}{row.strategy.family}{', control' if row.strategy.control else ''}",
            (stated and row.state) or "-",
            words.bound(metric.name, row.bound if stated else None, summary.standings[length].margin),
            words.number(metric.name, found.mean if (found := row.estimates[metric.name]) else None),
            (stated and words.bounds(metric.name, found)) or "-",
            f"waits at {row.repeats}" if row.parked else str(row.repeats),
            mean if again is None or again.mean is None else f"{mean} ({words.count(len(again.further), 'run')})",
            failed,
            f"{row.lost} of {row.trials}",
            f"{row.at_chance} of {row.trials}",
            words.number(metric.name, row.mean),
            words.number(metric.name, row.mean_finished),
        )

    header = (
        *("strategy", "schedule and family", "state"),
        f"bound: at most {words.worse(metric.name)} the best, {metric.gap_unit}",
        *(f"expected test {metric.label}", "unadjusted 95% interval", "repeats", f"retrained: test {metric.label}"),
        *("failed when retrained (share, 95% interval)", "trials diverged", "trials at chance"),
        *("mean of all trials", "mean without diverged trials"),
    )
    caption = f"Where each strategy stands{at(summary, length)} after {words.count(most, 'repeat')}, best first"
    if summary.adaptive:
        caption = f"The trials of each strategy{at(summary, length)}: not a comparison"
    return Table(caption, header, tuple(line(row) for row in summary.ranked(length)), text=(0, 1, 2))


def pairs_table(summary: Summary, length: float) -> tuple[Table, str]:
    """The table of pairs, and the reason why none has a verdict if it is the same for all."""
    pairs = pairs_shown(summary, length)
    reasons = {(pair.verdict, pair.reason) for pair in pairs}
    same = len(reasons) == 1 and pairs[0].verdict == "no verdict"
    shared = reason(pairs[0].reason, pairs[0].metric) if same else ""

    def line(pair: Pair) -> tuple[str, ...]:
        interval = Interval(pair.difference or 0.0, pair.low, pair.high)
        return (
            pair.a,
            pair.b,
            str(pair.repeats),
            "-" if pair.difference is None else words.signed_gap(pair.metric, pair.difference),
            words.bounds(pair.metric, interval, signed=True) or "-",
            "-" if pair.p_adjusted is None else words.p_value(pair.p_adjusted),
            "-" if pair.p_better is None else f"{pair.p_better:.2f}",
            pair.verdict,
            *([] if shared else [reason(pair.reason, pair.metric)]),
        )

    header = ("a", "b", "repeats", "a is ahead by", "95% interval over all looks", "adjusted p", "P(a > b)", "verdict")
    if summary.results.sweep.rules.control is None:
        caption = "The only pair" if len(pairs) == 1 else f"All {len(pairs)} pairs"
    else:
        caption = "The pair with the control" if len(pairs) == 1 else f"The {len(pairs)} pairs with the control"
    caption += at(summary, length)
    columns = header if shared else (*header, "reason")
    return Table(caption, columns, tuple(line(pair) for pair in pairs), text=(0, 1, 7, 8)), shared


def pairs_shown(summary: Summary, length: float) -> list[Pair]:
    """The pairs of a length; none where every trial diverged, since then all results are chance."""
    return [] if summary.all_diverged(length) else [pair for pair in summary.pairs if pair.length == length]


def looks_table(summary: Summary) -> Table:
    """Every look at the longest length; no rows for joined sweeps, whose own reports have them, or without a result."""
    results = summary.results
    looks = () if results.sweep.joined or summary.all_diverged() else results.looks[0]

    def line(row: LookRow) -> tuple[str, ...]:
        by_state: dict[str, list[str]] = {state: [] for state in ("good", "ruled out", "open")}
        for label, known in row.strategies.items():
            by_state[known["state"]].append(label)
        leader, following = row.outcome["leader"], row.trained_next
        members = following.get("members", [])
        more = f"{_listed(members, len(row.strategies))}, up to {following['repeats']} repeats" if members else "-"
        return (
            str(row.step + 1),
            str(row.repeats),
            f"{100 * LEVEL * row.spent:.2f}% of {100 * LEVEL:.0f}%",
            leader,
            words.at_most(results.metric, row.strategies[leader]["bound"], row.margin),
            *(_listed(labels, len(row.strategies)) for labels in by_state.values()),
            more,
        )

    header = (
        *("look", "after repeats", "error spent", "leader", "its bound", "good", "ruled out", "open"),
        "trained next",
    )
    caption = f"Every look{at(summary, results.longest)}, and what followed"
    return Table(caption, header, tuple(line(row) for row in looks), text=(3, 5, 6, 7, 8))


def _listed(labels: list[str], of: int) -> str:
    return "-" if not labels else "all" if len(labels) == of > 1 else ", ".join(labels)


def at(summary: Summary, length: float) -> str:
    return f" at {words.percent(length)} of the epochs" if len(summary.results.lengths) > 1 else ""
