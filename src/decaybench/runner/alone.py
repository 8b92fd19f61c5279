"""One process at a time trains a sweep."""

import hashlib
import tempfile
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from decaybench.errors import UserError
from decaybench.store import Storage


def alone(storage: Storage, name: str) -> BaseFileLock:
    """A lock that lets only one process at a time train the sweep; UserError if another one holds it.

    The lock file lies beside the database. The system releases the lock when the process dies. For a database server,
    the lock covers this machine only.
    """
    if storage.file is not None:
        path = storage.file.with_name(f".{storage.file.name}.{name}.lock")
    else:
        key = hashlib.sha256(f"{storage.where} {name}".encode()).hexdigest()[:32]
        path = Path(tempfile.gettempdir()) / f"decaybench-{key}.lock"
    lock = FileLock(str(path), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"sweep {name} is being run on {storage.where} by another process") from None
    return lock
