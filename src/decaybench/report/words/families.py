"""Fixed against reactive, in words."""

from __future__ import annotations

from decaybench.findings.pairs import LEAST_REPEATS, turned
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
    who = f"the mean of the {reactive} reactive against the mean of the {fixed} fixed"
    if pair.difference is None:
        return f"Nothing to compare yet{where}: {who} needs a repeat with every strategy confirmed."
    size = words.gap(pair.metric, pair.difference.mean)
    who_won, other = ("reactive", "fixed") if pair.difference.mean > 0 else ("fixed", "reactive")
    lead = f"{who_won.capitalize()} strategies were {size} ahead of {other} ones"
    if summary.results.repeats < LEAST_REPEATS:
        lead = f"The selected settings of {who_won} strategies were {size} ahead of those of {other} ones"
    if not pair.difference.mean:
        lead = "Fixed and reactive strategies were level"
    ahead = pair.difference if pair.difference.mean >= 0 else turned(pair).difference
    bounds = words.bounds(pair.metric, ahead, signed=True)
    interval = f"unadjusted 95% interval {bounds}" if bounds else "one repeat: no interval"
    verdict = f"The verdict on reactive against fixed is: {pair.verdict}"
    if pair.verdict == "no verdict":
        verdict = "No verdict is given"
    return f"{lead}{where} ({who}; {interval}). {verdict} ({reason(pair.reason, pair.metric)})."
