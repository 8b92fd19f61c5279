"""A run's value for the search, and the order of trials: the one rule that runner, estimates and report use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from decaybench.compare import DIGITS
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.store import RunResult, RunRow

Chance = Mapping[str, float]
"""The result of guessing, by metric."""
Rank = tuple[float, float, int, int]


def chance_of(provenance: Mapping[str, Any]) -> dict[str, float]:
    """The chance with which a sweep began; metrics that are missing in its provenance are left out."""
    known = {metric: provenance.get(f"chance_{metric}") for metric in METRICS}
    return {metric: float(value) for metric, value in known.items() if value is not None}


def told(run: RunRow | RunResult, metric: str, chance: Chance) -> float:
    """The objective value of a run that ended, in the metric's unit: its validation result at the last epoch.

    A diverged run has chance level, the same for every strategy. No finished loss counts as worse than that.
    """
    if run.outcome != "finished":
        return chance[metric]
    value: float | None = getattr(run, f"validation_{metric}")
    assert value is not None
    return METRICS[metric].counted(value, chance[metric])


def stopped_after(run: RunRow | RunResult) -> int | None:
    """The epoch after which pruning stopped a run; None for every other."""
    return run.epochs_done if run.pruned == "stopped" else None


def rank(run: RunRow, metric: str, chance: Chance) -> Rank | None:
    """A sort key for a strategy's trials: the lowest is the best one. None for a run that cannot be the best.

    The metric decides, then the lower loss, the lower repeat and the lower slot. A diverged run has chance for both, so
    a finished one whose accuracy is below chance is worse. A run that has not ended cannot be the best, and neither can
    one that pruning stopped, whose result is not from the end of training.
    """
    if run.outcome not in ("finished", "diverged") or run.pruned == "stopped":
        return None
    # A sweep that is older than the loss has none.
    loss = chance["loss"] if run.validation_loss is None else told(run, "loss", chance)
    value = -METRICS[metric].sign * told(run, metric, chance)
    return round(value, DIGITS), round(loss, DIGITS), run.repeat, run.slot
