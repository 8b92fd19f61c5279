"""Winners at the end of a range, in words."""

from __future__ import annotations

from collections.abc import Sequence

from decaybench.findings.boundaries import Boundary
from decaybench.report.words.numbers import listed, rate


def boundaries_sentence(found: Sequence[Boundary], least: float = 0.5) -> str:
    """What is flagged in at least half of its repeats, as one sentence; empty when nothing is."""
    often = [each for each in found if each.flagged >= least * each.repeats]
    if not often:
        return ""
    parts = [
        f"{each.label}'s {each.parameter} at its {each.end} end, {rate(each.bound)}"
        f" ({each.flagged} of {each.repeats} repeats)"
        for each in often
    ]
    return f"Selected settings lie at the end of what was searched: {listed(parts)}. Widen the range and rerun."
