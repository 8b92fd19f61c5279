"""Which strategies are good, ruled out and open, what settling that would cost, and how the pick fares."""

from __future__ import annotations

from typing import Final

from decaybench.compare import Same
from decaybench.findings.outlook import MOST, to_settle
from decaybench.findings.summary import Row, Summary
from decaybench.report import words
from decaybench.report.words.verdicts import SAID

_GROUPS: Final = ("Same results in all trials", "Equivalent to it", "Also good", "Ruled out", "Still open")
"""How the other strategies are introduced, in this order."""


def nothing_to_take(summary: Summary, length: float) -> bool:
    """Whether the leader has the smallest bound that is asked for, but is not shown to be better than chance."""
    leader = summary.leader(length)
    return leader is not None and leader.state == "good" and summary.pick(length) is None


def named(row: Row) -> str:
    """A strategy's label, and whether it is the control."""
    return row.strategy.label + (" (the control)" if row.strategy.control else "")


def sorted_out(summary: Summary, length: float) -> list[str]:
    """``Also good: a. Ruled out: b and c. Still open: d. ...``, and the cost of settling what is open."""
    rows, leader = summary.ranked(length), summary.leader(length)
    if len(rows) < 2:
        return []
    assert leader is not None
    groups: dict[str, list[str]] = {start: [] for start in _GROUPS}
    for row in rows:
        if row is not leader or row.state == "open":
            groups[_group(summary, leader, row)].append(row.strategy.label)
    said = [f"{start}: {words.listed(labels)}." for start, labels in groups.items() if labels]
    return [*said, *_cost(summary, length)]


def _group(summary: Summary, leader: Row, row: Row) -> str:
    same, equivalent, good, out, still_open = _GROUPS
    if row.state != "good":
        return out if row.state == "ruled out" else still_open
    try:
        pair = summary.pair(leader.strategy.label, row.strategy.label, row.length)
    except KeyError:  # only pairs with the control are tested
        return good
    return same if isinstance(pair.reason, Same) else equivalent if pair.verdict == "equivalent" else good


def _cost(summary: Summary, length: float) -> list[str]:
    found, rules = to_settle(summary, length), summary.results.sweep.rules
    if found is None or length != summary.results.longest or (found.repeats >= MOST and rules.control is not None):
        return []
    what = "on one strategy" if summary.pick(length) is None else "what is open"
    if found.repeats >= MOST:
        return [f"Even {MOST:,} repeats are not expected to settle {what}."]
    beyond = f"; the sweep file allows {rules.to}" if found.repeats > rules.to else ""
    return [
        f"Settling {what} would take about {words.about(found.trainings)} more trials"
        f" (up to {words.about(found.repeats)} repeats{beyond})."
    ]


def against_control(summary: Summary) -> list[str]:
    """The leader against the control, as one sentence; nothing where they are the same, or nothing is decided."""
    length, leader = summary.results.longest, summary.leader()
    controls = [row for row in summary.ranked() if row.strategy.control]
    if leader is None or not controls or leader.strategy.control or nothing_to_take(summary, length):
        return []
    pair = summary.pair(leader.strategy.label, controls[0].strategy.label, length)
    said = SAID[pair.verdict].pair.format(a=leader.strategy.label, b=named(controls[0]))
    if not said or pair.difference is None:
        return []
    place = "ahead" if pair.difference > 0 else "behind" if pair.difference < 0 else "level"
    size = f"{words.gap(pair.metric, pair.difference)} " if pair.difference else ""
    low, high = (words.number(pair.metric, bound, signed=True) for bound in (pair.low, pair.high))
    said = said[:1].upper() + said[1:] if pair.verdict == "inconclusive" else said
    return [f"{said}: {leader.strategy.label} is {size}{place} (95% interval over all looks {low} to {high})."]
