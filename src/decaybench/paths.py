"""Paths given by users: a leading ``~`` is a home folder, even if no shell has expanded it."""

import os
from pathlib import Path

from decaybench.errors import UserError


def expanded(path: str | Path) -> Path:
    """``path`` with ``~`` or ``~USER`` at its beginning replaced by that home folder; UserError where there is none.

    Every path that a person gives goes through here: as an option or argument, in a storage URL, in the environment.
    What begins otherwise, with ``./~`` say, stays as it is; of text only, since a Path has no ``./``.
    """
    found = os.path.expanduser(path)
    if (first := str(path).partition("/")[0]).startswith("~") and str(found).startswith("~"):
        raise UserError(f"{path}: the home folder {first} is not known; write ./{first} for a file of that name")
    return Path(found)
