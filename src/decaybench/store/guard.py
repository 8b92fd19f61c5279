"""Inspect a SQLite file before writing to it: whether it is intact, and what it holds. `judge` decides whose it is.

A refused file stays as it was, byte for byte, and nothing is left beside it. Even reading changes a SQLite database
in WAL mode (it creates ``-wal`` and ``-shm`` files), so `_tables_in` reads in a way that leaves no trace.

The file is read through SQLite alone. When a process closes a file that it opened itself, the operating system drops
all of that process's locks on it, including SQLite's, and the next process to close the database deletes its log.
"""

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from decaybench.errors import UserError
from decaybench.store.judge import KNOWN, NAMES, Found, found_in
from decaybench.store.patience import UnavailableError

_SMALLEST_PAGE = 512
_LARGEST_PAGE = 65536
_SHARED_MEMORY = 32 * 1024  # bytes, for which SQLite asks at once
SIDES = ("-wal", "-shm", "-journal")
"""The suffixes of the files that SQLite keeps beside an open database."""
OF_COPY: Final = "mode=rw"
"""Options for SQLite with which a copy is read."""
_NOT_SHARED: Final = (
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_PROTOCOL,
)
"""The errors that network and virtual disks return for a shared log or for locks."""


def look_at_file(path: Path, wait: float, *, write: bool) -> Found:
    """Return what the SQLite file at ``path`` holds (nothing if it is missing or empty), leaving no trace.

    ``wait`` is how long, in seconds, to wait for another process's lock. Raises UserError for a file that is not an
    intact SQLite database, and with ``write`` when nothing can be written there.
    """
    try:
        _require_file(path)
        if write:
            _require_writable(path)
        if not path.exists() or path.stat().st_size == 0:
            return Found()
        if path.stat().st_size < _SMALLEST_PAGE:  # SQLite would take it for an empty database
            raise UserError(f"{path} is not a SQLite database; use another file")
    except OSError as error:
        raise UserError(f"{path} cannot be used: {error.strerror}") from error
    deadline = time.monotonic() + wait
    while True:
        before = _fingerprint(path)
        try:
            return _read(path, wait)
        except (sqlite3.Error, OSError) as error:
            # Another process may be creating this file right now: only a file that does not change is damaged.
            if before == _fingerprint(path) or time.monotonic() > deadline:
                code = getattr(error, "sqlite_errorcode", None)
                if code == sqlite3.SQLITE_PROTOCOL:  # only who writes makes a new one
                    beside = f"{path}-shm is damaged or another database's"
                    raise UserError(f"{beside}; delete it when no process uses {path.name}") from error
                if (known := known_trouble(error, str(path), wait)) is not None:
                    raise known from error
                if code == sqlite3.SQLITE_NOTADB:
                    raise UserError(f"{path} is not a SQLite database; use another file") from error
                raise UserError(f"{path} is damaged: {error}; restore a backup, or use another file") from error


def is_locked(error: BaseException) -> bool:
    """Whether ``error`` says that another process holds the SQLite database's lock."""
    code = getattr(error, "sqlite_errorcode", None)  # extended: the low byte is the error's kind
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_full(error: BaseException, where: str) -> bool:
    """Whether ``error`` says that there is no space, or that none of a quota is left, for the SQLite file ``where``."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_IOERR_SHMSIZE:  # the shared memory of a log is a file too
        folder = next(parent for parent in Path(where).parents if parent.exists())
        return shutil.disk_usage(folder).free < _SHARED_MEMORY
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def known_trouble(error: BaseException, where: str, wait: float) -> UserError | None:
    """Return what to raise for errors that SQLite reports unclearly: no space, a lock held for ``wait`` s, no sharing.

    Return None for other errors.
    """
    if is_locked(error):
        return UnavailableError(
            f"{where} has been locked by another process for {wait:g} s; try again when that process is done"
        )
    if _is_full(error, where):
        return UnavailableError(f"{where}: database or disk is full")
    if getattr(error, "sqlite_errorcode", None) in _NOT_SHARED:
        name = getattr(error, "sqlite_errorname", error)
        return UserError(
            f"{where}: its disk cannot hold a write-ahead log that processes share ({name}); use a local disk"
        )
    return None


def is_writable(path: Path) -> bool:
    """Whether the SQLite file at ``path``, and others beside it, can be written."""
    try:
        _require_writable(path)
    except UserError:
        return False
    return True


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a database file")
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise UserError(f"{path} is not a regular file")


def _require_writable(path: Path) -> None:
    """Raise UserError unless ``path`` can be written; modes are checked too, since root has access to everything."""
    if path.exists():
        _require_mode(path, os.R_OK | os.W_OK, f"{path} is read-only")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{path} cannot be created: {folder} is not a folder")
    _require_mode(folder, os.W_OK | os.X_OK, f"{path} cannot be written: the folder {folder} is read-only")


def _require_mode(path: Path, access: int, message: str) -> None:
    if not path.stat().st_mode & 0o222 or not os.access(path, access):
        raise UserError(message)


def _fingerprint(path: Path) -> list[tuple[int, int] | None]:
    marks: list[tuple[int, int] | None] = []
    for side in ("", *SIDES):
        try:
            found = os.stat(f"{path}{side}")
        except FileNotFoundError:
            marks.append(None)
        else:
            marks.append((found.st_size, found.st_mtime_ns))
    return marks


def _read(path: Path, wait: float) -> Found:
    """Return what the file holds; ``sqlite3.Error`` when it is damaged or locked."""
    with _tables_in(path, wait) as connection:
        connection.execute("BEGIN")  # everything below is read from one state
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if problems != ["ok"]:
            raise sqlite3.DatabaseError(str(problems[0]))

        def ask(query: str, *values: str) -> list[Any]:
            return [row[0] for row in connection.execute(query, values)]

        def named(kind: str) -> list[str]:
            names = ask("SELECT name FROM sqlite_master WHERE type = ?", kind)
            return [name for name in names if not name.startswith("sqlite_")]

        tables: dict[str, frozenset[str]] = {}
        keys: dict[str, frozenset[str]] = {}
        for name in named("table"):
            # To SQLite, "Runs" is our table's name too. Other tables may need a module that is not loaded here.
            if (known := name.lower()) in KNOWN:
                tables[known] = frozenset(map(str.lower, ask("SELECT name FROM pragma_table_info(?)", name)))
                key = ask("SELECT name || ' ' || type FROM pragma_table_info(?) WHERE pk > 0", name)
                keys[known] = frozenset(map(str.lower, key))
            else:
                tables[name] = frozenset()
        indexes = {known: "an index" for name in named("index") if (known := name.lower()) in NAMES}
        return found_in(tables, ask, keys=keys, taken=indexes | {name.lower(): "a view" for name in named("view")})


@contextlib.contextmanager
def _tables_in(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """Open a connection that reads ``path`` and leaves no trace."""
    with contextlib.ExitStack() as opened:
        if (options := without_trace(path, wait)) is not None:
            yield opened.enter_context(contextlib.closing(connect(path, options, wait)))
            return
        copy = copied(path, Path(opened.enter_context(tempfile.TemporaryDirectory())))
        most = sum(each.stat().st_size for each in copy.parent.iterdir())
        connection = opened.enter_context(contextlib.closing(connect(copy, OF_COPY, wait)))
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # a journal is rolled back first
        if (size := copy.stat().st_size) > most + _LARGEST_PAGE:
            raise sqlite3.DatabaseError(f"its journal would make it {size:,} bytes long")
        yield connection


def without_trace(path: Path, wait: float) -> str | None:
    """Return options for SQLite with which it reads a file without a trace; None if only a copy can be read.

    Without side files no process is writing, and an immutable connection creates none. With side files, the last
    changes may be only there; a read-only connection with a read-only wal-index sees them. A journal that must be
    rolled back, or a ``-wal`` without its index, cannot be read without writing. No process, including this one, has
    such a file open. Raises sqlite3.Error.
    """
    if not any(Path(f"{path}{side}").exists() for side in SIDES):
        return "immutable=1"
    with contextlib.closing(connect(path, shared := "mode=ro&readonly_shm=1", wait)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise
            return None
    return shared


def copied(path: Path, folder: Path) -> Path:
    """Copy a SQLite file and what must be applied to it."""
    for side in ("", "-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{side}", folder / f"{path.name}{side}")
    return folder / path.name


def connect(path: Path, options: str, wait: float, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """Open a connection with options of SQLite's URLs, which waits for locks so many seconds."""
    url = f"{path.as_uri()}?{options}"
    return sqlite3.connect(url, uri=True, timeout=wait, isolation_level=None, check_same_thread=check_same_thread)
