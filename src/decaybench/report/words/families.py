"""Fixed against reactive strategies, in words."""

from __future__ import annotations

from decaybench.findings.pairs import Family
from decaybench.findings.summary import Summary
from decaybench.report import words
from decaybench.report.words.standing import nothing_to_take


def families_text(summary: Summary, length: float) -> str:
    """How far the best of each family can be from the best of all; empty where there is only one family."""
    found = summary.families(length)
    if not found or found[0].bound is None or nothing_to_take(summary, length):
        return ""
    where = f" at {words.percent(length)} of the epochs" if len(summary.results.lengths) > 1 else ""
    said = "; ".join(_said(summary.results.metric, family, summary.standings[length].margin) for family in found)
    return f"Fixed against reactive{where}, with 95% confidence: {said}."


def means_text(summary: Summary, length: float) -> str:
    """The means of the families, which only describe."""
    metric = summary.results.metric
    means = [f"{words.value(metric, family.mean)} ({family.name})" for family in summary.families(length)]
    return (
        f"The mean estimates of the families are {words.listed(means)}. They only describe the strategies of this"
        " sweep."
    )


def _said(metric: str, family: Family, margin: float | None) -> str:
    assert family.bound is not None
    if family.ruled_out:
        return f"every {family.name} strategy is ruled out"
    if len(family.members) == 1:
        name = f"the only {family.name} strategy ({family.members[0]})"
    else:
        name = f"the best {family.name} strategy"
    if family.bound == 0:
        return f"{name} is not worse than any other"
    return f"{name} is at most {words.at_most(metric, family.bound, margin)} {words.worse(metric)} the best of all"
