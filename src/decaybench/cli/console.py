"""The console for tables."""

import sys

from rich.console import Console


def wide_console() -> Console:
    """A console on stdout: as wide as the terminal, or, in a pipe or a file, wide enough for any table."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=240)
