"""The runner's progress as plain calls, so that it is independent of any terminal."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE: Final = f"{Path(__file__).parents[1]}/"


@dataclass(frozen=True)
class Share:
    """One strategy's runs in one phase; ``best`` is the metric's best value so far (accuracy, or loss in nats)."""

    strategy: str
    planned: int
    done: int
    diverged: int
    best: float | None


class Watcher:
    """Watches nothing; subclass and override what you want to see."""

    def note(self, line: str) -> None:
        """What is legal but hardly meant, said before anything is written; unless overridden a UserWarning."""
        warnings.warn(line, stacklevel=_callers_level())

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        """Training of sweep ``name`` begins; ``updates_left`` counts the updates of all runs still to be trained."""

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        """The progress of every strategy in ``phase``; called when it begins and whenever runs end."""

    def advance(self, updates: int) -> None:
        """``updates`` more were made (or will never be made, if a run ended early), summed over runs."""

    def end(self) -> None:
        """Nothing more will be trained."""


def _callers_level() -> int:
    """The stack level, for `warnings.warn`, of the line of code that called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
