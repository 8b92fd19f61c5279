"""decaybench: find out by experiment how fixed and loss-reactive learning-rate schedules compare.

``decaybench.run(sweep)`` trains the missing runs of a sweep and writes its report. ``decaybench.load(storage, name)``
returns its tables as DataFrames. ``decaybench.schedules`` holds the schedules themselves.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decaybench import schedules
    from decaybench.api import Outcome, export, load, run
    from decaybench.errors import UserError

__all__ = ["Outcome", "UserError", "export", "load", "run", "schedules"]

_HOMES = {"run": "api", "load": "api", "export": "api", "Outcome": "api", "UserError": "errors"}


def __getattr__(name: str) -> Any:
    """Import attributes on first use: loading torch alone takes longer than ``decaybench --help`` may take."""
    if name == "schedules":
        return import_module("decaybench.schedules")
    if name == "__version__":
        return version("decaybench")
    if name in _HOMES:
        return getattr(import_module(f"decaybench.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
