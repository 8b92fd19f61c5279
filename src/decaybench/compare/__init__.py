"""Statistics on plain arrays: no torch, no SQL, no plots."""

from decaybench.compare.contest import Contest
from decaybench.compare.decision import Decision, State, Until, decide, default_margin, repeats_to_settle
from decaybench.compare.edges import edge
from decaybench.compare.intervals import Interval, mean_interval, paired_interval
from decaybench.compare.looks import Look, Taken, planned
from decaybench.compare.pairs import (
    LEAST,
    VERDICTS,
    Inconclusive,
    Pair,
    Reason,
    Same,
    Shown,
    SizeUnclear,
    TooFew,
    Verdict,
    Withheld,
    WithinMargin,
    judge,
    mirrored,
    too_few,
)
from decaybench.compare.pooled import DIGITS, Estimate, Pooling, Trials, independent_weights
from decaybench.compare.rates import wilson
from decaybench.compare.robust import performance_profile, time_to_target
from decaybench.compare.tuning import Curve, tuning_curve

__all__ = [
    "DIGITS",
    "LEAST",
    "VERDICTS",
    "Contest",
    "Curve",
    "Decision",
    "Estimate",
    "Inconclusive",
    "Interval",
    "Look",
    "Pair",
    "Pooling",
    "Reason",
    "Same",
    "Shown",
    "SizeUnclear",
    "State",
    "Taken",
    "TooFew",
    "Trials",
    "Until",
    "Verdict",
    "Withheld",
    "WithinMargin",
    "decide",
    "default_margin",
    "edge",
    "independent_weights",
    "judge",
    "mean_interval",
    "mirrored",
    "paired_interval",
    "performance_profile",
    "planned",
    "repeats_to_settle",
    "time_to_target",
    "too_few",
    "tuning_curve",
    "wilson",
]
