"""Paths as people give them: a leading ``~`` is a home folder, also where no shell has said so."""

from pathlib import Path

from decaybench.errors import UserError


def expanded(path: str | Path) -> Path:
    """``path`` with ``~`` or ``~USER`` at its beginning replaced by that home folder; UserError where there is none.

    Every path that a person gives goes through here: as an option or argument, in a storage URL, in the environment.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        first = Path(path).parts[0]
        raise UserError(
            f"{path}: the home folder {first} is not known; write ./{first} for a file or folder of that name"
        ) from None
