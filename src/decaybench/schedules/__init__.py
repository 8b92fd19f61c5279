"""Learning-rate schedules, fixed and loss-reactive: one class a kind, all listed in ``SCHEDULES``."""

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
    Exponential,
    InverseTime,
    Linear,
    MultiStep,
    Polynomial,
    StepDecay,
    TimeBased,
)
from decaybench.schedules.reactive import ExpLoss, ExpLossRelative, ReduceOnPlateau
from decaybench.schedules.registry import Registry
from decaybench.schedules.trace import trace

SCHEDULES = Registry(
    Constant,
    TimeBased,
    InverseTime,
    StepDecay,
    MultiStep,
    Exponential,
    Polynomial,
    Linear,
    Cosine,
    ExpLoss,
    ExpLossRelative,
    ReduceOnPlateau,
)

__all__ = [
    "SCHEDULES",
    "Bank",
    "Clock",
    "Constant",
    "Cosine",
    "ExpLoss",
    "ExpLossRelative",
    "Exponential",
    "Fixed",
    "InverseTime",
    "Linear",
    "MultiStep",
    "Observation",
    "Param",
    "Polynomial",
    "Range",
    "Reactive",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "TimeBased",
    "TorchScheduler",
    "convert",
    "number",
    "trace",
]
