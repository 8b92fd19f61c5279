"""The console for tables."""

import sys
from typing import Final

from rich.console import Console

PHASES: Final = {"search": "search", "confirm": "retraining", "replay": "replay"}
"""The phases of a sweep by their names in the database, in the report's words."""


def wide_console() -> Console:
    """A console on stdout: as wide as the terminal, or, in a pipe or a file, wide enough for any table."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=240)
