"""How fast a strategy reaches the control's final loss, and how often it is among the best."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from decaybench.compare import performance_profile, time_to_target
from decaybench.findings.results import Results
from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS


class TimeToTarget(NamedTuple):
    """One strategy at one length.

    ``reached`` of its ``runs`` confirm runs reached the control's final validation loss. ``updates`` is the median
    number of updates that they needed, infinite if fewer than half of the runs got there. Both are None without a
    control.

    ``steady`` is the share of repeats in which the strategy's retrained result was within the smallest difference that
    matters of the repeat's best one (the performance profile at that distance); None while a repeat lacks a strategy.
    """

    label: str
    length: float
    reached: int | None
    runs: int
    updates: float | None
    steady: float | None


def times_to_target(summary: Summary, length: float) -> list[TimeToTarget]:
    """Every strategy with retrained results, the best first; empty for fewer than two, and for an adaptive sweep."""
    results = summary.results
    rows = [row for row in summary.ranked(length) if row.rank is not None]
    if summary.adaptive or len(rows) < 2:
        return []
    target, of = _target(summary, length), results.sweep.size(length)
    values = np.array([row.by_repeat for row in rows])
    profile: list[float | None] = [None] * len(rows)
    if np.isfinite(values).all():
        profile = performance_profile(values, [results.rope], lower_is_better=METRICS[results.metric].lower_is_better)[
            :, 0
        ].tolist()
    found = []
    for row, share in zip(rows, profile, strict=True):
        runs = [run for run in results.of("confirm", row.strategy.label, length) if run.done]
        times = None
        if target is not None and of is not None:
            curves = [results.curves[run.id] for run in runs if run.id in results.curves]  # none if it diverged at once
            losses = [curve.validation_loss for curve in curves]
            times = [time_to_target(loss, target, of.steps_per_epoch, lower_is_better=True) for loss in losses]
            times += [math.inf] * (len(runs) - len(curves))
        found.append(
            TimeToTarget(
                row.strategy.label,
                length,
                None if times is None else int(np.isfinite(times).sum()),
                len(runs),
                None if not times else float(np.median(times)),
                share,
            )
        )
    return found


def _target(summary: Summary, length: float) -> float | None:
    """The mean final validation loss of the best control's finished confirm runs; None if there are none."""
    controls = [row for row in summary.ranked(length) if row.strategy.control and row.rank is not None]
    if not controls:
        return None
    final = _final_losses(summary.results, controls[0].strategy.label, length)
    return float(np.mean(final)) if final else None


def _final_losses(results: Results, label: str, length: float) -> list[float]:
    finished = [run for run in results.of("confirm", label, length) if run.outcome == "finished"]
    return [loss for run in finished if (loss := run.value("validation", "loss")) is not None]
