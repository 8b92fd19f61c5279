"""Learning-rate schedules, fixed and loss-reactive: one class a kind, all listed in ``SCHEDULES``."""

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

__all__ = ["Clock", "Fixed", "Observation", "Param", "Range", "Reactive", "Schedule", "convert", "number"]
