"""How fast a strategy reaches the control's final loss, and how often it is among the best."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from decaybench.compare import performance_profile, time_to_target
from decaybench.findings.summary import Summary
from decaybench.metrics import METRICS


class TimeToTarget(NamedTuple):
    """One strategy at one length, by each repeat's best trial.

    ``reached`` of these ``runs`` reached the control's final validation loss. ``updates`` is the median number of
    updates that they needed, infinite if fewer than half of the runs got there. Both are None without a control.

    ``steady`` is the share of the common repeats in which the test result of the strategy's best trial was within the
    margin of the repeat's best one (the performance profile at that distance); None before there is a margin.
    """

    label: str
    length: float
    reached: int | None
    runs: int
    updates: float | None
    steady: float | None


def times_to_target(summary: Summary, length: float) -> list[TimeToTarget]:
    """Every strategy, the best first; empty for fewer than two, and for an adaptive sweep."""
    results, margin = summary.results, summary.standings[length].margin
    rows = [row for row in summary.ranked(length) if row.rank is not None]
    if summary.adaptive or len(rows) < 2:
        return []
    target, of = _target(summary, length), results.sweep.size(length)
    common = min(row.by_repeat.size for row in rows)
    values = np.array([row.by_repeat[:common] for row in rows])
    profile: list[float | None] = [None] * len(rows)
    if margin is not None and common and np.isfinite(values).all():
        lower = METRICS[results.metric].lower_is_better
        profile = performance_profile(values, [margin], lower_is_better=lower)[:, 0].tolist()
    found = []
    for row, share in zip(rows, profile, strict=True):
        runs = results.best(row.strategy.label, length)
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
    """The mean final validation loss of the control's best trials that finished; None if there are none."""
    controls = [row for row in summary.ranked(length) if row.strategy.control and row.rank is not None]
    if not controls:
        return None
    best = summary.results.best(controls[0].strategy.label, length)
    final = [loss for run in best if not run.diverged and (loss := run.value("validation", "loss")) is not None]
    return float(np.mean(final)) if final else None
