"""Fixed against reactive strategies, in words."""

from __future__ import annotations

from decaybench.findings.pairs import LEAST_REPEATS
from decaybench.findings.summary import Summary
from decaybench.report import words
from decaybench.report.words.tables import at
from decaybench.report.words.verdicts import reason


def families_text(summary: Summary, length: float) -> str:
    pair = summary.families(length)
    if pair is None:
        return ""
    families = [row.strategy.family for row in summary.at(length)]
    reactive, fixed = families.count("reactive"), families.count("fixed")
    where = at(summary, length)
    if pair.difference is None:
        return f"Nothing to compare yet{where}: no repeat has every strategy retrained."
    size = words.gap(pair.metric, pair.difference.mean)
    place = f"{size} {'ahead of' if pair.difference.mean > 0 else 'behind'}" if pair.difference.mean else "level with"
    lead = f"On average, the reactive strategies were {place} the fixed ones"
    if summary.results.repeats < LEAST_REPEATS:
        lead = f"On average, the best configurations of the reactive strategies were {place} those of the fixed ones"
    bounds = words.bounds(pair.metric, pair.difference, signed=True)
    interval = f"unadjusted 95% interval {bounds}" if bounds else "one repeat, so no interval"
    why = reason(pair.reason, pair.metric)
    verdict = (
        f"Verdict: {pair.verdict}. Reason: {why}." if pair.verdict != "no verdict" else f"There is no verdict: {why}."
    )
    return f"{lead}{where} ({reactive} reactive, {fixed} fixed; {interval}). {verdict}"
