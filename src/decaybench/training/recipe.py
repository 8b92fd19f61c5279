"""What a training is given."""

from dataclasses import dataclass, field
from typing import Literal

import torch

from decaybench.optimizers import OptimizerForm
from decaybench.schedules import Schedule

Precision = Literal["fp32", "bf16", "fp64"]
COMPUTED_IN: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp64": torch.float64}


@dataclass(frozen=True)
class Recipe:
    """What all runs of a stack share. ``batch_size`` "full" is batch gradient descent, one update an epoch."""

    model: str
    epochs: int
    batch_size: int | Literal["full"]
    form: OptimizerForm = field(default_factory=OptimizerForm)
    precision: Precision = "fp32"
    decay_biases: bool = True
    dropout: float = 0.0


@dataclass(frozen=True)
class Run:
    """What one run of a stack has of its own. ``schedule`` is resolved to native units; ``epochs``, if it is given,
    is the run's own length instead of the recipe's.
    """

    seed: int
    schedule: Schedule
    learning_rate: float
    momentum: float
    weight_decay: float
    epochs: int | None = None


def steps_per_epoch(examples: int, batch_size: int | Literal["full"]) -> int:
    """Updates an epoch; the last, partial batch is dropped."""
    return 1 if batch_size == "full" else examples // batch_size
