"""The command line: parse, call, print. Heavy libraries load inside the commands that need them."""

from decaybench.cli.main import main

__all__ = ["main"]
