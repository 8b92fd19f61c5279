"""How the first place compares with the control or the runner-up, and the sentences that follow."""

from __future__ import annotations

from decaybench.compare import Interval, Verdict
from decaybench.findings.pairs import LEAST_REPEATS, Pair
from decaybench.findings.summary import Row, Summary
from decaybench.report import words
from decaybench.report.words.verdicts import SAID
from decaybench.report.words.verdicts import reason as said

MOST_SHOWN = 6
"""The most other pairs that are named with their verdicts."""


def standing(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> str:
    """The verdict on the first place, as the end of its sentence; empty if there is no verdict."""
    found = reference(first, confirmed)
    if found is None:
        return ""
    other, role = found
    name = f"{other.strategy.label} ({role})"
    verdicts = _verdicts(summary, length, first, other)
    if len(verdicts) > 1:  # `beside` lists each
        return ""
    return SAID[verdicts.pop()].first.format(are="is" if len(first) == 1 else "are", other=name)


def reason(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> str:
    """The reason for the verdict on the first place, or why there is none."""
    found = reference(first, confirmed)
    if found is None:
        others = [row for row in [*first[1:], *summary.at(length)] if row is not first[0]]
        pair = summary.pair(first[0].strategy.label, others[0].strategy.label, length)
        if pair.verdict == "no verdict":
            return f"There is no verdict: {said(pair.reason, pair.metric)}."
        return "Their means are equal."
    other, role = found
    if len(_verdicts(summary, length, first, other)) > 1:
        return f"Their verdicts against {other.strategy.label} ({role}) differ."
    pair = summary.pair(first[0].strategy.label, other.strategy.label, length)
    if pair.verdict == "no verdict":
        return f"There is no verdict: {said(pair.reason, pair.metric)}."
    return f"Reason: {said(pair.reason, pair.metric)}."


def beside(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> list[str]:
    """Further sentences on a length: the best of both families, the others against the reference, the families."""
    found = reference(first, confirmed)
    lines = _across(summary, length, first, confirmed)
    if found is None:
        return lines
    other, role = found
    verdicts = _verdicts(summary, length, first, other)
    if verdicts == {"no verdict"}:
        return lines
    said = [*first, other] if len(verdicts) == 1 else [other]
    return [
        *lines,
        *_others(summary, length, said, other, role),
        *_shown(summary, length, other, confirmed),
        *_families(summary, length),
    ]


def _shown(summary: Summary, length: float, other: Row, confirmed: list[Row]) -> list[str]:
    """The remaining pairs with a difference, as one sentence, so that none goes unmentioned."""
    found, told = [], set(_best(confirmed) or ())
    for pair in summary.pairs:
        if pair.length != length or pair.a.startswith("family:"):
            continue
        if other.strategy.label in (pair.a, pair.b) or {pair.a, pair.b} == told:
            continue
        if SAID[pair.verdict].pair:
            found.append(SAID[pair.verdict].pair.format(a=pair.a, b=pair.b))
    if len(found) > MOST_SHOWN:
        found = [*found[: MOST_SHOWN - 1], f"{len(found) - MOST_SHOWN + 1} more pairs in the table"]
    return [f"Among the other pairs, {words.listed(found)}."] if found else []


def _verdicts(summary: Summary, length: float, first: list[Row], other: Row) -> set[Verdict]:
    """The verdicts on the first against another."""
    return {summary.pair(row.strategy.label, other.strategy.label, length).verdict for row in first}


def _others(summary: Summary, length: float, said: list[Row], other: Row, role: str) -> list[str]:
    """The verdicts on the other strategies against the reference, as one sentence."""
    by_verdict: dict[str, list[str]] = {}
    for row in summary.ranked(length):
        if row not in said:
            verdict = summary.pair(row.strategy.label, other.strategy.label, length).verdict
            by_verdict.setdefault(verdict, []).append(row.strategy.label)
    if not by_verdict:
        return []
    parts = [f"{words.listed(labels)} ({verdict})" for verdict, labels in by_verdict.items()]
    who = "Other strategies" if len(said) > 1 else "Strategies"
    return [f"{who} compared with {other.strategy.label} ({role}): {'; '.join(parts)}."]


def _families(summary: Summary, length: float) -> list[str]:
    pair = summary.families(length)
    if pair is None or pair.difference is None:
        return []
    return [f"On average, the reactive strategies were {_family_verdict(pair)}"]


def _family_verdict(pair: Pair) -> str:
    """``0.6 points ahead of the fixed ones (interval). Verdict: better. Reason: ....``"""
    assert pair.difference is not None
    place = "ahead of" if pair.difference.mean >= 0 else "behind"
    size = words.gap(pair.metric, pair.difference.mean)
    bounds = words.bounds(pair.metric, pair.difference, signed=True)
    why = said(pair.reason, pair.metric)
    return f"{size} {place} the fixed ones (unadjusted 95% interval {bounds}). Verdict: {pair.verdict}. Reason: {why}."


def _best(confirmed: list[Row]) -> tuple[str, str] | None:
    """The best reactive strategy and the best fixed one; None without both."""
    best: dict[str, str] = {}
    for row in sorted(confirmed, key=lambda row: row.rank or 0):
        best.setdefault(row.strategy.family, row.strategy.label)
    return (best["reactive"], best["fixed"]) if {"reactive", "fixed"} <= set(best) else None


def _across(summary: Summary, length: float, first: list[Row], confirmed: list[Row]) -> list[str]:
    """The best reactive strategy against the best fixed one, unless the paragraph compares them already."""
    best = _best(confirmed)
    if best is None:
        return []
    reactive, fixed = best
    found = reference(first, confirmed)
    if found is not None and {first[0].strategy.label, found[0].strategy.label} == {reactive, fixed}:
        return []
    difference = summary.pair(reactive, fixed, length).difference
    if difference is None or not difference.mean:
        return []
    place = "ahead of" if difference.mean > 0 else "behind"
    gap = words.gap(summary.results.metric, difference.mean)
    interval = difference_interval(summary, difference)
    verdict = summary.pair(reactive, fixed, length).verdict
    judged = "" if verdict == "no verdict" else f"; verdict: {verdict}"
    the, that = "The best reactive strategy", "the best fixed one"
    if summary.results.repeats < LEAST_REPEATS:
        the, that = "The best configuration of the best reactive strategy", "that of the best fixed one"
    return [f"{the}, {reactive}, is {gap} {place} {that}, {fixed}{interval}{judged}."]


def reference(first: list[Row], confirmed: list[Row]) -> tuple[Row, str] | None:
    """What the first are compared with: the best control, or the runner-up if a control is among the first."""
    behind = sorted((row for row in confirmed if row not in first), key=lambda row: row.rank or 0)
    if not behind:
        return None
    controls = [row for row in behind if row.strategy.control]
    if controls and not any(row.strategy.control for row in first):
        return controls[0], "the control"
    return behind[0], "the runner-up"


def difference_interval(summary: Summary, difference: Interval) -> str:
    if difference.low is None or difference.high is None:
        return ""
    zero = ", which includes zero" if difference.low <= 0 <= difference.high else ""
    bounds = words.bounds(summary.results.metric, difference, signed=True)
    return f" (unadjusted 95% interval of the difference {bounds}{zero})"
