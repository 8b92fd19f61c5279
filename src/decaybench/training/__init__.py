"""Training: K models as one stack. Knows no Optuna and no SQL."""

from decaybench.training.curves import EpochCurves, TrainingResult
from decaybench.training.loop import Precision, Recipe, Run, steps_per_epoch, train
from decaybench.training.optimizer import OptimizerForm

__all__ = [
    "EpochCurves",
    "OptimizerForm",
    "Precision",
    "Recipe",
    "Run",
    "TrainingResult",
    "steps_per_epoch",
    "train",
]
