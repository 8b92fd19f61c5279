"""The runner's progress as method calls, independent of any terminal."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decaybench.findings import Summary

PACKAGE: Final = f"{Path(__file__).parents[1]}/"


@dataclass(frozen=True)
class Share:
    """Counts of one strategy's runs in one phase; ``best`` is the best value so far, in the metric's unit."""

    strategy: str
    planned: int
    done: int
    diverged: int
    best: float | None


class Watcher:
    """The base of all watchers. Its methods do nothing (``note`` warns): override those that you need."""

    def note(self, line: str) -> None:
        """A setting is legal but hardly intended. Called before anything is written; by default, a UserWarning."""
        warnings.warn(line, stacklevel=_callers_level())

    def extended(self, line: str) -> None:
        """The file changes the ``to`` of a sweep in the database: which error is left, and which looks are to come."""

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        """Training of sweep ``name`` begins; ``updates_left`` counts the updates of all runs still to be trained."""

    def more(self, updates: int) -> None:
        """``updates`` more are to be made, summed over runs: a look or retraining asked for them."""

    def look(self, shown: Summary) -> None:
        """A look was taken: what the sweep shows now."""

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        """The progress of every strategy in ``phase``; called when it begins and whenever runs end."""

    def advance(self, updates: int) -> None:
        """``updates`` more updates, summed over runs, have been made, or are left out because a run ended early."""

    def trouble(self, line: str) -> None:
        """Something failed, and is tried again or mended: one line."""

    def end(self) -> None:
        """Training has ended."""


def _callers_level() -> int:
    """The stack level, for `warnings.warn`, of the code that called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
