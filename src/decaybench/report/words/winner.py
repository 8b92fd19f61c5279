"""Where the configuration to take comes from and what to expect of it, in sentences."""

from __future__ import annotations

from decaybench.findings.summary import Summary
from decaybench.findings.winner import Pick
from decaybench.report.words.numbers import at_most, count, share, value, worse


def found(summary: Summary, pick: Pick) -> list[str]:
    """For the head of an export: how it was selected, its result, how often it failed, and how good its strategy is."""
    metric, again, row = summary.results.metric, pick.retrained, pick.row
    if again is None:
        said = ["It has the best validation of all trials of its strategy, and was not retrained."]
    else:
        many, runs = count(len(again.configurations), "configuration"), len(again.choosing)
        often = f"{again.failures} ({share(again.failing)})" if again.failures else "none"
        said = [
            f"Of {many} retrained on fresh seeds, it has the best mean validation {metric}.",
            f"Of the {count(runs, 'run')} on these seeds, {often} failed.",
        ]
        if again.mean is not None:
            seeds = count(len(again.further), "further seed")
            said.append(f"On {seeds}, its mean test {metric} is {value(metric, again.mean)}.")
    if summary.adaptive:
        said.append("The sweep searched for one good configuration and did not compare strategies.")
    elif row.bound is not None and len(summary.at()) > 1:
        how = "not worse than any other"
        if row.bound:
            how = f"at most {at_most(metric, row.bound, summary.decisive.margin)} {worse(metric)} the best"
        said.append(
            f"With 95% confidence, a search with this strategy is {how} of the {len(summary.at())} strategies compared"
            f" ({row.state})."
        )
    if not summary.results.sweep.complete:
        said.append("The sweep is unfinished, so this may change.")
    return said
