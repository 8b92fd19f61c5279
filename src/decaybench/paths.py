"""Paths that users give: a leading ``~`` is a home folder, even if no shell has expanded it."""

import os
from pathlib import Path

from decaybench.errors import UserError


def expanded(path: str | Path, given_as: str) -> Path:
    """``path`` with a leading ``~`` or ``~USER`` replaced by that home folder; UserError if it is not known.

    ``given_as`` is the option, argument or variable that the error names.

    Every path that a user gives goes through here, from an option, an argument, a storage URL or the environment.
    A file whose name begins with ``~`` is written ``./~name``, as text: a Path drops the ``./``.
    """
    found = os.path.expanduser(path)
    if (first := str(path).partition("/")[0]).startswith("~") and str(found).startswith("~"):
        raise UserError(
            f"{given_as}: the home folder {first} is not known (write ./{first} for a file of that name), "
            f"got {str(path)!r}"
        )
    return Path(found)


def typed(path: Path) -> str:
    """``path`` so that `expanded` and a shell read it as this very file: a leading ``~`` becomes ``./~``."""
    return f"./{path}" if str(path).startswith("~") else str(path)
