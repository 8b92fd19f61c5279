"""Train K models as one stack. This package depends on neither Optuna nor SQL."""

from decaybench.optimizers import Average, OptimizerForm
from decaybench.training.check import check_builder, check_model
from decaybench.training.checkpoint import Checkpoint, CheckpointError, Interrupted, Keeper
from decaybench.training.loop import train
from decaybench.training.recipe import Precision, Recipe, Run, steps_per_epoch
from decaybench.training.record import EpochCurves, TrainingResult

__all__ = [
    "Average",
    "Checkpoint",
    "CheckpointError",
    "EpochCurves",
    "Interrupted",
    "Keeper",
    "OptimizerForm",
    "Precision",
    "Recipe",
    "Run",
    "TrainingResult",
    "check_builder",
    "check_model",
    "steps_per_epoch",
    "train",
]
