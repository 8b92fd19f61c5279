"""Learning-rate schedules, fixed and loss-reactive: one class per kind, all listed in ``SCHEDULES``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from decaybench.schedules import fixed, reactive
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
from decaybench.schedules.fixed import *  # noqa: F403  every kind by the name of its class
from decaybench.schedules.reactive import *  # noqa: F403
from decaybench.schedules.registry import Registry
from decaybench.schedules.trace import trace

if TYPE_CHECKING:
    from decaybench.schedules.keras_callback import KerasCallback as KerasCallback

SCHEDULES = Registry(*fixed.KINDS, *reactive.KINDS)

__all__ = [
    "SCHEDULES",
    "Bank",
    "Clock",
    "Fixed",
    "Observation",
    "Param",
    "Range",
    "Reactive",
    "Schedule",
    "TorchScheduler",
    "convert",
    "number",
    "trace",
]
__all__ += fixed.__all__ + reactive.__all__


def __getattr__(name: str) -> Any:
    """Import KerasCallback, and with it Keras, only when it is used."""
    if name == "KerasCallback":
        return import_module("decaybench.schedules.keras_callback").KerasCallback
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
