"""Extensions from other packages, through entry points."""

from importlib.metadata import EntryPoint
from typing import Any

from decaybench.errors import UserError, reason


def load(entry_point: EntryPoint) -> Any:
    """The object that an entry point names; UserError if it cannot be imported."""
    try:
        return entry_point.load()
    except (Exception, SystemExit) as error:  # importing another package may raise anything
        named = f"{entry_point.group}: entry point {entry_point.name} = {entry_point.value}"
        raise UserError(f"{named} cannot be imported: {reason(error)}") from error
