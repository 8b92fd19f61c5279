"""The optimizers: each is one class that describes it completely, and all are listed in ``OPTIMIZERS``."""

from collections.abc import Mapping, Sequence
from typing import Final

from decaybench.optimizers.adam import Adam
from decaybench.optimizers.adamw import AdamW
from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import DEFAULT, Average, OptimizerForm, Velocity
from decaybench.optimizers.link import Link
from decaybench.optimizers.prodigy import Prodigy
from decaybench.optimizers.schedule_free import ScheduleFree
from decaybench.optimizers.sgd import SGD

KINDS: Final[Sequence[type[Optimizer]]] = (SGD, Adam, AdamW, ScheduleFree, Prodigy)
OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = {optimizer.name: optimizer for optimizer in KINDS}

__all__ = [
    "DEFAULT",
    "KINDS",
    "OPTIMIZERS",
    "Average",
    "KerasCode",
    "Link",
    "Optimizer",
    "OptimizerForm",
    "TorchCode",
    "Use",
    "Velocity",
]
