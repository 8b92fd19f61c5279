"""Fixed schedules, which depend on time alone. All are listed in ``KINDS``, in the order of the catalogue."""

from collections.abc import Sequence
from typing import Final

from decaybench.schedules.base import Schedule
from decaybench.schedules.fixed.by_time import Constant, Exponential, Inv, InverseSqrt, InverseTime, Noam, TimeBased
from decaybench.schedules.fixed.cycles import CosineRestarts, OneCycle, Triangular
from decaybench.schedules.fixed.steps import MultiStep, StepDecay
from decaybench.schedules.fixed.to_the_end import Cosine, Linear, Polynomial, Rex, Wsd

KINDS: Final[Sequence[type[Schedule]]] = (
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
)

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
