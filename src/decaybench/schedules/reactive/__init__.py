"""Loss-reactive schedules, which depend on time and on the run's own training; one file per group of rules.

All are listed in ``KINDS``, in the order of the catalogue.
"""

from collections.abc import Sequence
from typing import Final

from decaybench.schedules.base import Schedule
from decaybench.schedules.reactive.bold_driver import BoldDriver
from decaybench.schedules.reactive.exp_loss import ExpLoss, ExpLossRelative, LossRatio
from decaybench.schedules.reactive.greedy_lr import GreedyLr
from decaybench.schedules.reactive.hypergradient import Hypergradient
from decaybench.schedules.reactive.l4 import L4
from decaybench.schedules.reactive.plateau import ReduceOnPlateau
from decaybench.schedules.reactive.polyak import Alig, Polyak

KINDS: Final[Sequence[type[Schedule]]] = (
    ExpLoss,
    ExpLossRelative,
    LossRatio,
    ReduceOnPlateau,
    BoldDriver,
    GreedyLr,
    Polyak,
    Alig,
    L4,
    Hypergradient,
)

__all__ = [
    "L4",
    "Alig",
    "BoldDriver",
    "ExpLoss",
    "ExpLossRelative",
    "GreedyLr",
    "Hypergradient",
    "LossRatio",
    "Polyak",
    "ReduceOnPlateau",
]
