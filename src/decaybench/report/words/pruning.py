"""What pruning did, in words."""

from __future__ import annotations

from decaybench.compare import wilson
from decaybench.findings.pruning import pruning
from decaybench.findings.results import Results
from decaybench.report.words.numbers import count, percent, share


def pruning_sentence(results: Results) -> str:
    """What pruning did to the whole sweep; no text where it was not asked for."""
    asked, rows = results.sweep.search.prune, pruning(results)
    if asked is None:
        return ""
    slots, stopped, spared, wrong = (
        sum(getattr(row, name) for row in rows) for name in ("slots", "stopped", "spared", "false_prunes")
    )
    when = "half-way" if asked.at == 0.5 else f"at {percent(asked.at)} of their epochs"
    said = f"Pruning stopped {stopped:,} of {count(slots, 'slot')} {when}"
    if not spared:
        return f"{said}; none was spared, so how often that was wrong is not known."
    rate = wilson(wrong, spared)
    were = "was" if spared == 1 else "were"
    return f"{said}; of the {spared:,} that {were} spared {wrong:,} would have won ({share(rate)})."
