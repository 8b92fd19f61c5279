"""Settings of a recipe that change how it trains, alone and together."""

from decaybench.data.augment import Crop, Cutout, Flip
from decaybench.training import Average, OptimizerForm

ALONE = [
    {"form": OptimizerForm("adamw")},
    {"clip_norm": 0.5},
    {"label_smoothing": 0.1},
    {"augment": (Crop(3), Flip(), Cutout(4))},
    {"form": OptimizerForm(average=Average(ema=0.9))},
    {"form": OptimizerForm(average=Average(last=3))},
]
TOGETHER = [
    {
        "form": OptimizerForm("adamw", average=Average(ema=0.95)),
        "clip_norm": 0.5,
        "label_smoothing": 0.1,
        "decay_biases": False,
    },
    {
        "form": OptimizerForm(velocity="keras", nesterov=True, average=Average(last=2)),
        "clip_norm": 1.0,
        "label_smoothing": 0.2,
        "augment": (Crop(1), Flip(), Cutout(3)),
    },
]
SETTINGS = [*ALONE, *TOGETHER]
