"""The runner's progress as plain calls, so that it is independent of any terminal."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass


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
        """A note on something legal but hardly intended, before training begins; a UserWarning unless overridden."""
        warnings.warn(line, stacklevel=2)

    def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
        """Training of sweep ``name`` begins; ``updates_left`` counts the updates of all runs still to be trained."""

    def phase(self, phase: str, shares: Sequence[Share]) -> None:
        """The progress of every strategy in ``phase``; called when it begins and whenever runs end."""

    def advance(self, updates: int) -> None:
        """``updates`` more were made (or will never be made, if a run ended early), summed over runs."""

    def end(self) -> None:
        """Nothing more will be trained."""
