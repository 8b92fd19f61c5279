"""Paths given by users: a leading ``~`` is a home folder, even if no shell has expanded it."""

import os
from pathlib import Path

from decaybench.errors import UserError


def expanded(path: str | Path, given_as: str) -> Path:
    """``path`` with ``~`` or ``~USER`` at its beginning replaced by that home folder; UserError where there is none.

    ``given_as`` is the option, argument or variable that the error names.

    Every path that a person gives goes through here: as an option or argument, in a storage URL, in the environment.
    What begins otherwise, with ``./~`` say, stays as it is; of text only, since a Path has no ``./``.
    """
    found = os.path.expanduser(path)
    if (first := str(path).partition("/")[0]).startswith("~") and str(found).startswith("~"):
        raise UserError(
            f"{given_as}: the home folder {first} is not known (write ./{first} for a file of that name), "
            f"got {str(path)!r}"
        )
    return Path(found)


def typed(path: Path) -> str:
    """``path`` as `expanded` and a shell take it for that very file: what begins with ``~`` gets its ``./`` back."""
    return f"./{path}" if str(path).startswith("~") else str(path)
