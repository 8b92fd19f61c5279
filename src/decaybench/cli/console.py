"""The console that tables are printed to."""

import sys

from rich.console import Console


def wide_console() -> Console:
    """A console for tables on stdout: as wide as the terminal, or wide enough for any table in a pipe or a file."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=240)
