"""Search: the only room that knows Optuna. Spaces, the balanced sampler, and the study that mirrors our tables."""

from decaybench.search.balanced import BalancedSampler, point
from decaybench.search.space import Dimension, Space
from decaybench.search.study import Slot, StudyMirror

__all__ = ["BalancedSampler", "Dimension", "Slot", "Space", "StudyMirror", "point"]
