"""Fixed schedules: time alone."""

from decaybench.schedules.fixed.by_time import Constant, Exponential, Inv, InverseSqrt, InverseTime, Noam, TimeBased
from decaybench.schedules.fixed.cycles import CosineRestarts, OneCycle, Triangular
from decaybench.schedules.fixed.steps import MultiStep, StepDecay
from decaybench.schedules.fixed.to_the_end import Cosine, Linear, Polynomial, Rex, Wsd

__all__ = [
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Exponential",
    "Inv",
    "InverseSqrt",
    "InverseTime",
    "Linear",
    "MultiStep",
    "Noam",
    "OneCycle",
    "Polynomial",
    "Rex",
    "StepDecay",
    "TimeBased",
    "Triangular",
    "Wsd",
]
