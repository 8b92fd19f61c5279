"""A look at a database before it is written to: whose is it, is it whole, and may this version write to it?

A refused file stays as it was, byte for byte, and nothing is left beside it. Even a reader changes a SQLite
database that is in WAL mode (it makes ``-wal`` and ``-shm`` files), so the look takes the way that leaves no
trace: `_tables_in`.

The file is read through SQLite alone: when a process closes a file that it opened by itself, the system drops all
of that process's locks on it, SQLite's too, and the next one that closes the database deletes its log.
"""

import contextlib
import os
import re
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from decaybench.errors import UserError
from decaybench.store.schema import TABLES, VERSION, Version

_OPTUNA = frozenset({"studies", "trials", "version_info"})
_SMALLEST_PAGE = 512
_SIDES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Found:
    """What a database holds: tables, our layout's version, Optuna's (a revision like ``v3.2.0.a``)."""

    tables: frozenset[str] = frozenset()
    version: int | None = None
    revision: str | None = None

    @property
    def ours(self) -> bool:
        """Whether our tables are there."""
        return Version.__tablename__ in self.tables


def judge(found: Found, where: str, *, alone: bool) -> None:
    """Raise UserError unless a database that holds ``found`` may be written to.

    ``alone`` says that no other program's tables may stand there but Optuna's, as in a file; a PostgreSQL
    database may be shared, as long as no table of another program bears the name of one of ours.
    """
    if found.ours:
        if not isinstance(found.version, int) or TABLES - found.tables:
            missing = ", ".join(sorted(TABLES - found.tables)) or "its layout's version"
            raise UserError(f"{where} is damaged: it is decaybench's, but lacks {missing}")
        if found.version > VERSION:
            raise UserError(
                f"{where} was written by a newer decaybench (layout {found.version}, "
                f"this one knows {VERSION}); upgrade decaybench"
            )
    elif taken := sorted(TABLES & found.tables):
        raise UserError(f"{where} has a table {taken[0]!r} that is not decaybench's; take another database")
    elif alone and found.tables and not found.tables >= _OPTUNA:
        listed = ", ".join(sorted(found.tables)[:3])
        raise UserError(f"{where} is another program's database (tables: {listed}); take another file")
    installed = metadata.version("optuna")
    if found.revision is not None and _release(found.revision) > _release(installed):
        raise UserError(
            f"{where} was written by a newer Optuna (tables {found.revision}, "
            f"Optuna {installed} is installed); upgrade optuna"
        )


def _release(version: str) -> tuple[int, ...]:
    """``v3.2.0.a`` and ``3.2.0`` as (3, 2, 0); Optuna names a revision after the release that brought it."""
    return tuple(int(number) for number in re.findall(r"\d+", str(version))[:3])


def look_at_file(path: Path, wait: float) -> Found:
    """What the SQLite file at ``path`` holds (nothing when it is not there or empty), read without a trace.

    ``wait`` is how long in seconds another process's lock is waited for. Raises UserError when nothing can be
    written there, and for a file that is not a whole SQLite database.
    """
    try:
        _require_writable(path)
        if not path.exists() or path.stat().st_size == 0:
            return Found()
        if path.stat().st_size < _SMALLEST_PAGE:  # SQLite would take it for an empty database
            raise UserError(f"{path} is not a SQLite database")
    except OSError as error:
        raise UserError(f"{path} cannot be used: {error.strerror}") from error
    deadline = time.monotonic() + wait
    while True:
        before = _fingerprint(path)
        try:
            return _read(path, wait)
        except (sqlite3.Error, OSError) as error:
            # Another process may be making this very file just now: only a file that holds still is damaged.
            if before == _fingerprint(path) or time.monotonic() > deadline:
                if isinstance(error, sqlite3.Error) and is_locked(error):
                    raise UserError(locked(str(path), wait)) from error
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                    raise UserError(f"{path} is not a SQLite database") from error
                raise UserError(f"{path} is damaged: {error}") from error


def is_locked(error: BaseException) -> bool:
    """Whether ``error`` says that another process holds the SQLite database's lock."""
    code = getattr(error, "sqlite_errorcode", None)  # extended: the low byte is the error's kind
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def locked(where: str, seconds: float) -> str:
    """The message for a database that stayed locked."""
    return f"{where} has been locked by another process for {seconds:g} s; try again when that one is done"


def _require_writable(path: Path) -> None:
    """Look at modes too, not only at access: to root everything is writable."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a database file")
    if path.exists():
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is not a regular file")
        _require_mode(path, os.R_OK | os.W_OK, f"{path} is read-only")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{path} cannot be made: {folder} is not a folder")
    _require_mode(folder, os.W_OK | os.X_OK, f"{path} cannot be written: the folder {folder} is read-only")


def _require_mode(path: Path, access: int, message: str) -> None:
    if not path.stat().st_mode & 0o222 or not os.access(path, access):
        raise UserError(message)


def _fingerprint(path: Path) -> list[tuple[int, int] | None]:
    marks: list[tuple[int, int] | None] = []
    for side in ("", *_SIDES):
        try:
            found = os.stat(f"{path}{side}")
        except FileNotFoundError:
            marks.append(None)
        else:
            marks.append((found.st_size, found.st_mtime_ns))
    return marks


def _read(path: Path, wait: float) -> Found:
    """What the file holds; ``sqlite3.Error`` when it is damaged or locked."""
    with _tables_in(path, wait) as connection:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
        if problems != ["ok"]:
            raise sqlite3.DatabaseError(str(problems[0]))
        tables = frozenset(
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        )
        version = revision = None
        if Version.__tablename__ in tables:
            (version,) = connection.execute(f"SELECT max(version) FROM {Version.__tablename__}").fetchone()
        if tables >= _OPTUNA | {"alembic_version"}:
            (revision,) = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    return Found(tables, version, revision)


@contextlib.contextmanager
def _tables_in(path: Path, wait: float) -> Iterator[sqlite3.Connection]:
    """A connection that reads ``path`` and leaves no trace.

    Without side files nobody writes, and an immutable look makes none. With them the last changes may stand
    only there: a read-only look with a read-only wal-index sees those. A journal that must be rolled back, or
    a ``-wal`` without its index, cannot be read without a write, so that is done to a copy; nobody, this process
    included, has such a file open.
    """
    if not any(Path(f"{path}{side}").exists() for side in _SIDES):
        with contextlib.closing(_connect(path, "immutable=1", wait)) as connection:
            yield connection
        return
    with contextlib.closing(_connect(path, "mode=ro&readonly_shm=1", wait)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            needs_copy = False
        except sqlite3.OperationalError as error:
            needs_copy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
            if not needs_copy:
                raise
        if not needs_copy:
            yield connection
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for side in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{side}", f"{copy}{side}")
        with contextlib.closing(_connect(copy, "mode=rw", wait)) as connection:
            yield connection


def _connect(path: Path, query: str, wait: float) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?{query}", uri=True, timeout=wait, isolation_level=None)
