"""What pruning did, in words."""

from __future__ import annotations

from decaybench.compare import wilson
from decaybench.findings.pruning import pruning
from decaybench.findings.results import Results
from decaybench.report.words.numbers import count, percent, share


def pruning_sentence(results: Results) -> str:
    """What pruning did in the whole sweep; empty if the sweep does not prune."""
    asked, rows = results.sweep.search.prune, pruning(results)
    if asked is None:
        return ""
    slots, stopped, spared, wrong = (
        sum(getattr(row, name) for row in rows) for name in ("slots", "stopped", "spared", "false_prunes")
    )
    when = "half-way" if asked.at == 0.5 else f"at {percent(asked.at)} of their epochs"
    said = f"Pruning stopped {stopped:,} of {count(slots, 'trial')} {when}"
    if not spared:
        return f"{said}. None was spared, so it is unknown how often that was wrong."
    rate = wilson(wrong, spared)
    were = "was" if spared == 1 else "were"
    its = "its" if wrong == 1 else "their"
    return f"{said}. Of the {spared:,} that {were} spared, {wrong:,} became the best of {its} repeat ({share(rate)})."
