"""Search: the only room that knows Optuna. Spaces, the samplers, and the study that mirrors our tables."""

from decaybench.search.balanced import BalancedSampler, point
from decaybench.search.samplers import adaptive_sampler, balanced_sampler
from decaybench.search.slot import AdaptiveSampler, Sampler, Slot, Told
from decaybench.search.space import Dimension, Space, from_native
from decaybench.search.study import StudyMirror, study_exists

__all__ = [
    "AdaptiveSampler",
    "BalancedSampler",
    "Dimension",
    "Sampler",
    "Slot",
    "Space",
    "StudyMirror",
    "Told",
    "adaptive_sampler",
    "balanced_sampler",
    "from_native",
    "point",
    "study_exists",
]
