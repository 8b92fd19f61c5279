"""Learning-rate schedules, fixed and loss-reactive: one class a kind, all listed in ``SCHEDULES``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from decaybench.schedules.adapter import TorchScheduler
from decaybench.schedules.bank import Bank
from decaybench.schedules.base import (
    Clock,
    Fixed,
    Observation,
    Param,
    Range,
    Reactive,
    Schedule,
    convert,
    number,
)
from decaybench.schedules.fixed import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    Inv,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Noam,
    OneCycle,
    Polynomial,
    Rex,
    StepDecay,
    TimeBased,
    Triangular,
    Wsd,
)
from decaybench.schedules.reactive import (
    L4,
    Alig,
    BoldDriver,
    ExpLoss,
    ExpLossRelative,
    GreedyLr,
    Hypergradient,
    LossRatio,
    Polyak,
    ReduceOnPlateau,
)
from decaybench.schedules.registry import Registry
from decaybench.schedules.trace import trace

if TYPE_CHECKING:
    from decaybench.schedules.keras_callback import KerasCallback as KerasCallback

SCHEDULES = Registry(
    Constant,
    TimeBased,
    InverseTime,
    Inv,
    StepDecay,
    MultiStep,
    Exponential,
    Polynomial,
    Linear,
    Cosine,
    CosineRestarts,
    OneCycle,
    Triangular,
    Wsd,
    Rex,
    InverseSqrt,
    Noam,
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
    "SCHEDULES",
    "Alig",
    "Bank",
    "BoldDriver",
    "Clock",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "ExpLoss",
    "ExpLossRelative",
    "Exponential",
    "Fixed",
    "GreedyLr",
    "Hypergradient",
    "Inv",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "LossRatio",
    "MultiStep",
    "Noam",
    "Observation",
    "OneCycle",
    "Param",
    "Polyak",
    "Polynomial",
    "Range",
    "Reactive",
    "ReduceOnPlateau",
    "Rex",
    "Schedule",
    "StepDecay",
    "TimeBased",
    "TorchScheduler",
    "Triangular",
    "Wsd",
    "convert",
    "number",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Import KerasCallback, and with it Keras, when it is asked for."""
    if name == "KerasCallback":
        return import_module("decaybench.schedules.keras_callback").KerasCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
