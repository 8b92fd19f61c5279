"""The parameters that all strategies share. In each strategy, trial i has the same point for them in its ranges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Shared:
    """A shared parameter: its ``name`` in a sweep file and in a run's ``params``, its legal values, and their ``rule``.

    With ``one_minus``, the search is over 1 minus the value, and so is a logarithmic scale.
    """

    name: str
    rule: str
    legal: Callable[[float], bool]
    one_minus: bool = False

    @property
    def dimension(self) -> str:
        """The name of the searched quantity in the Optuna study."""
        return f"one_minus_{self.name}" if self.one_minus else self.name

    def to_native(self, searched: float, *, choice: bool = False) -> float:
        """A run's value. One of ``choice`` is rounded: 0.9 is searched as 1 - 0.9 and must become 0.9 again."""
        if not self.one_minus:
            return searched
        return round(1.0 - searched, 15) if choice else 1.0 - searched

    def to_searched(self, native: float) -> float:
        """The inverse of ``to_native``."""
        return 1.0 - native if self.one_minus else native


# Add new names at the end: a parameter's place selects the coordinate of its points (search/balanced.py).
SHARED: Final = (
    Shared("learning_rate", "must be > 0", lambda value: value > 0),
    Shared("momentum", "must be in [0, 1)", lambda value: 0 <= value < 1, one_minus=True),
    Shared("weight_decay", "must be >= 0", lambda value: value >= 0),
)
BY_DIMENSION: Final = {shared.dimension: shared for shared in SHARED}
"""The shared parameters by the names of their searched quantities."""
