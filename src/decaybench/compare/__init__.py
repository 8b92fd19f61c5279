"""Statistics on plain arrays: no torch, no SQL, no plots."""

from decaybench.compare.edges import edge
from decaybench.compare.families import family_means
from decaybench.compare.intervals import Interval, mean_interval, p_better, p_better_unpaired, paired_interval
from decaybench.compare.rates import wilson
from decaybench.compare.robust import iqm, performance_profile, score_distribution, time_to_target
from decaybench.compare.significance import detectable, holm, one_sided_p, repeats_needed
from decaybench.compare.tuning import Curve, expected_best, expected_best_curve
from decaybench.compare.verdicts import (
    VERDICTS,
    Judged,
    NotShown,
    Reason,
    TooFew,
    Verdict,
    Withheld,
    judge,
    mirrored,
    rope,
)

__all__ = [
    "VERDICTS",
    "Curve",
    "Interval",
    "Judged",
    "NotShown",
    "Reason",
    "TooFew",
    "Verdict",
    "Withheld",
    "detectable",
    "edge",
    "expected_best",
    "expected_best_curve",
    "family_means",
    "holm",
    "iqm",
    "judge",
    "mean_interval",
    "mirrored",
    "one_sided_p",
    "p_better",
    "p_better_unpaired",
    "paired_interval",
    "performance_profile",
    "repeats_needed",
    "rope",
    "score_distribution",
    "time_to_target",
    "wilson",
]
