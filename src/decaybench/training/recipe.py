"""The inputs of a training: the recipe that a stack's runs share, and each run's own settings."""

from dataclasses import dataclass, field
from typing import Literal

import torch

from decaybench.data import Augmentation
from decaybench.models import Model
from decaybench.optimizers import OptimizerForm
from decaybench.schedules import Schedule

Precision = Literal["fp32", "bf16", "fp64"]
COMPUTED_IN: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp64": torch.float64}


@dataclass(frozen=True)
class Recipe:
    """What all runs of a stack share.

    ``batch_size`` "full" means batch gradient descent, one update per epoch. With ``decay_biases`` false, weight decay
    skips the biases. ``dropout`` is the share of a layer's inputs to drop, for models that have dropout. A gradient
    longer than ``clip_norm`` is shortened to it. ``label_smoothing`` is the share of the target that is spread evenly
    over all classes in the loss that is trained on; rules and records have the loss without it. ``augment`` holds the
    augmentations of training images, in order.
    """

    model: str | Model
    epochs: int
    batch_size: int | Literal["full"]
    form: OptimizerForm = field(default_factory=OptimizerForm)
    precision: Precision = "fp32"
    decay_biases: bool = True
    dropout: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    augment: tuple[Augmentation, ...] = ()


@dataclass(frozen=True)
class Run:
    """The settings of one run of a stack.

    ``schedule`` is resolved to native units. ``epochs``, if given, replaces the recipe's length for this run.
    """

    seed: int
    schedule: Schedule
    learning_rate: float
    momentum: float
    weight_decay: float
    epochs: int | None = None


def steps_per_epoch(examples: int, batch_size: int | Literal["full"]) -> int:
    """Updates per epoch; the last, partial batch is dropped."""
    return 1 if batch_size == "full" else examples // batch_size
