"""The parameters that all strategies share: trial i has the same point in them, whatever its strategy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Shared:
    """One of them: its ``name`` in a sweep file and in a run's ``params``, and what is ``legal`` (``rule``, in words).

    With ``one_minus`` it is 1 minus the value that is searched, and that a logarithmic scale runs over.
    """

    name: str
    rule: str
    legal: Callable[[float], bool]
    one_minus: bool = False

    @property
    def dimension(self) -> str:
        """What is searched, by its name in the study."""
        return f"one_minus_{self.name}" if self.one_minus else self.name

    def to_native(self, searched: float, *, choice: bool = False) -> float:
        """The value that a run has; from a ``choice`` of 1 - 0.1 it is 0.1 again, not 0.09999999999999998."""
        if not self.one_minus:
            return searched
        return round(1.0 - searched, 15) if choice else 1.0 - searched

    def to_searched(self, native: float) -> float:
        """The inverse of ``to_native``."""
        return 1.0 - native if self.one_minus else native


# New names go to the end: a parameter's place says where its points come from (search/balanced.py).
SHARED: Final = (
    Shared("learning_rate", "must be > 0", lambda value: value > 0),
    Shared("momentum", "must be in [0, 1)", lambda value: 0 <= value < 1, one_minus=True),
    Shared("weight_decay", "must be >= 0", lambda value: value >= 0),
)
BY_DIMENSION: Final = {shared.dimension: shared for shared in SHARED}
"""The same by the names of what is searched."""
