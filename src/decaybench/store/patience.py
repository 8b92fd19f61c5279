"""Waiting for a database that is full, locked or out of reach, and doing a transaction again once it is not."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, Protocol, TypeVar

from decaybench.errors import UserError

if TYPE_CHECKING:
    from decaybench.store.storage import Storage

P = ParamSpec("P")
T = TypeVar("T")

_PASSING: Final = ("08", "40", "53", "55P03", "57P01", "57P02", "57P03")
"""How the SQLSTATEs begin of what passes: connections, conflicts of transactions, resources, locks, a server's end."""


class UnavailableError(UserError):
    """The database is full, locked or out of reach. Nothing was written, and the same step may succeed later."""


class Patience(Protocol):
    """What is done while a database is unavailable; a sweep waits, and all else gives up at once."""

    last: float
    """When the last wait was over, by `time.monotonic`; minus infinity if there was none."""

    def wait(self, error: UnavailableError) -> None:
        """Return when it is time to try again, or raise an error to give up."""

    def over(self) -> None:
        """A step has succeeded."""


def patiently(patience: Patience | None, step: Callable[[], T]) -> T:
    """Do ``step``, which is one transaction at most, again for as long as the database is unavailable."""
    while True:
        try:
            done = step()
        except UnavailableError as error:
            if patience is None:
                raise
            patience.wait(error)
        else:
            if patience is not None:
                patience.over()
            return done


def patient(step: Callable[Concatenate["Storage", P], T]) -> Callable[Concatenate["Storage", P], T]:
    """Make a function that is one transaction wait as its storage's `Patience` does."""

    @wraps(step)
    def waiting(storage: "Storage", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return patiently(storage.patience, lambda: step(storage, *args, **kwargs))

    return waiting


def passes(error: BaseException) -> bool:
    """Whether a PostgreSQL driver's ``error`` may pass by itself. One without an SQLSTATE is of the connection."""
    state: str | None = getattr(error, "sqlstate", "unknown")
    return state is None or state.startswith(_PASSING)
