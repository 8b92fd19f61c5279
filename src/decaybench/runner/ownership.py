"""One process at a time drives a sweep."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from os import getpid
from typing import Protocol

from filelock import FileLock, Timeout

from decaybench.errors import MachineError, UserError
from decaybench.store import ServerLock, Storage

CHECK_S = 5.0
"""Seconds between two checks that a server still holds the lock for this process."""


class Owner(Protocol):
    """The right to drive a sweep."""

    def check(self) -> None:
        """Raise MachineError if it is lost."""


@contextmanager
def own(storage: Storage, name: str) -> Iterator[Owner]:
    """The right to drive the sweep, which ends with the block or the process; UserError if another process has it.

    For a SQLite database, it is a lock on a file beside it, which the system releases if the process dies. A
    PostgreSQL server keeps the lock itself, for all machines.
    """
    me = f"process {getpid()} on {platform.node()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    if storage.file is None:
        server = _OnServer(storage, name, me)
        try:
            yield server
        finally:
            server.lock.release()
        return
    path = storage.file.with_name(f".{storage.file.name}.{name}.lock")
    holder = path.with_suffix(".holder")
    lock = FileLock(str(path), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        known = ""
        with suppress(OSError):
            known = holder.read_text()
        raise _taken(storage, name, known or "another process") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with suppress(OSError):  # without space; it is for a message only
            holder.write_text(me)
        yield _OnFile()
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


class _OnFile:
    def check(self) -> None:
        """A lock on a file is lost with the process only."""


class _OnServer:
    def __init__(self, storage: Storage, name: str, me: str) -> None:
        self._storage, self._name = storage, name
        self.lock = ServerLock(storage, name, me)
        if (holder := self.lock.take()) is not None:
            raise _taken(storage, name, holder)
        self._checked = time.monotonic()

    def check(self) -> None:
        """Take the lock again if the server has dropped the connection; MachineError if another process has it now."""
        if time.monotonic() - self._checked < CHECK_S:
            return
        if not self.lock.held():
            self.lock.release()
            if (holder := self.lock.take()) is not None:
                raise MachineError(f"sweep {self._name} was taken over by {holder} while the database was out of reach")
        self._checked = time.monotonic()


def _taken(storage: Storage, name: str, holder: str) -> UserError:
    return UserError(f"sweep {name} is being run on {storage.where} by {holder}")
