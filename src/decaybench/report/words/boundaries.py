"""Best configurations at a search-space boundary, in words."""

from __future__ import annotations

from collections.abc import Sequence

from decaybench.findings.boundaries import Boundary
from decaybench.report.words.numbers import listed, rate


def boundaries_sentence(found: Sequence[Boundary], least: float = 0.5) -> str:
    """One sentence on what is flagged in at least the share ``least`` of its repeats; empty if nothing is."""
    often = [each for each in found if each.flagged >= least * each.repeats]
    if not often:
        return ""
    parts = [
        f"{each.parameter} of {each.label} at {each.end} = {rate(each.bound)}"
        f" ({each.flagged} of {each.repeats} repeats)"
        for each in often
    ]
    return (
        f"Best configurations lie at a search-space boundary: {listed(parts)}. Widen the range and run the sweep again"
        " under another name."
    )
