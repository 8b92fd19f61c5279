"""Errors that the user can fix, and failures of the machine."""

from textwrap import shorten


class UserError(Exception):
    """An error that the user can fix; its text is one line that names the file, the key, the rule and the value.

    The command line prints it as ``error: ...`` on stderr and exits with 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class MachineError(Exception):
    """A failure of the machine, not of the user's input. Nothing is lost: the same call again continues.

    The command line prints it as ``error: ...`` on stderr and exits with 1.
    """


def reason(error: BaseException) -> str:
    """An exception as the end of one line: ``ImportError: no module named x``."""
    try:
        said = str(error)
    except Exception:  # the __str__ of an exception class outside decaybench may itself fail
        said = ""
    return shorten(f"{type(error).__name__}: {said}".removesuffix(": "), 300, placeholder=" ...")
