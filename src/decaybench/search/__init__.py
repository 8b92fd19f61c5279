"""Search: spaces, samplers, and the study that mirrors our tables. The only package here that uses Optuna."""

from decaybench.search.balanced import BalancedSampler, point
from decaybench.search.samplers import adaptive_sampler, balanced_sampler
from decaybench.search.slot import AdaptiveSampler, Sampler, Slot, Told
from decaybench.search.space import STRATEGY, Dimension, Space, from_native, from_study
from decaybench.search.stored import StoredStudy, StoredTrial, read_study
from decaybench.search.study import StudyMirror, study_exists

__all__ = [
    "STRATEGY",
    "AdaptiveSampler",
    "BalancedSampler",
    "Dimension",
    "Sampler",
    "Slot",
    "Space",
    "StoredStudy",
    "StoredTrial",
    "StudyMirror",
    "Told",
    "adaptive_sampler",
    "balanced_sampler",
    "from_native",
    "from_study",
    "point",
    "read_study",
    "study_exists",
]
