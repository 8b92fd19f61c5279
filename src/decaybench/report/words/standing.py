"""Which strategies are good, ruled out and open, what settling that would cost, and how the pick fares."""

from __future__ import annotations

from decaybench.compare import State
from decaybench.findings.outlook import MOST, to_settle
from decaybench.findings.summary import Row, Summary
from decaybench.report import words
from decaybench.report.words.verdicts import SAID


def named(row: Row) -> str:
    """A strategy's label, and whether it is the control."""
    return row.strategy.label + (" (the control)" if row.strategy.control else "")


def sorted_out(summary: Summary, length: float) -> list[str]:
    """``Also good: a. Ruled out: b and c. Open: d; ...``, and the cost of settling what is open."""
    rows, leader = summary.ranked(length), summary.leader(length)
    if len(rows) < 2:
        return []
    also: dict[State, str] = {"good": "Also good", "ruled out": "Ruled out", "open": "Open"}
    said = []
    for state, start in also.items():
        found = [row.strategy.label for row in rows if row.state == state and row is not leader]
        if state == "open" and leader is not None and leader.state == "open":
            found = [leader.strategy.label, *found]
        if found:
            said.append(f"{start}: {words.listed(found)}.")
    return [*said, *_cost(summary, length)]


def _cost(summary: Summary, length: float) -> list[str]:
    found, rules = to_settle(summary, length), summary.results.sweep.rules
    if found is None or length != summary.results.longest:
        return []
    what = "Settling on one" if summary.pick(length) is None else "Settling what is open"
    if found.repeats >= MOST:
        return [f"{what} would take more than {MOST:,} repeats."]
    beyond = f", more than the {rules.to} that the sweep file allows" if found.repeats > rules.to else ""
    return [
        f"{what} would take about {words.count(found.trainings, 'more training')}"
        f" (up to about {words.count(found.repeats, 'repeat')}{beyond})."
    ]


def against_control(summary: Summary) -> list[str]:
    """The leader against the control, as one sentence; nothing where they are the same, or nothing is decided."""
    length, leader = summary.results.longest, summary.leader()
    controls = [row for row in summary.ranked() if row.strategy.control]
    if leader is None or not controls or leader.strategy.control:
        return []
    pair = summary.pair(leader.strategy.label, controls[0].strategy.label, length)
    said = SAID[pair.verdict].pair.format(a=leader.strategy.label, b=named(controls[0]))
    if not said or pair.difference is None:
        return []
    place = "ahead" if pair.difference > 0 else "behind" if pair.difference < 0 else "level"
    size = f"{words.gap(pair.metric, pair.difference)} " if pair.difference else ""
    low, high = (words.number(pair.metric, bound, signed=True) for bound in (pair.low, pair.high))
    said = said[:1].upper() + said[1:] if pair.verdict == "inconclusive" else said
    return [f"{said}: {size}{place} (repeated 95% interval {low} to {high})."]
