"""The only engine factory: URLs, guards, and the tables of a database that is new or older."""

import contextlib
import functools
import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, func, insert, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import InternalError, ProgrammingError

from decaybench.errors import UserError
from decaybench.store.guard import OF_COPY, SIDES, connect, copied, is_writable, look_at_file, without_trace
from decaybench.store.judge import Found, judge
from decaybench.store.migrations import VERSION, add_metrics, migrate
from decaybench.store.patience import Patience, UnavailableError, patiently
from decaybench.store.schema import METADATA, TABLES, VERSIONS, lacking
from decaybench.store.server import reach
from decaybench.store.storage import BUSY_TIMEOUT, Storage, begin_by_hand, configure, set_pragmas, trouble
from decaybench.store.url import parse, place

_POSTGRES_LOCK = 0x6465636179  # "decay": an arbitrary number that identifies the creation of our tables
_POSTGRES_WAIT_S = 10


def open_storage(url: str, *, create: bool, optuna: bool | None = None, patience: Patience | None = None) -> Storage:
    """Open the database at ``url``, ``sqlite:///PATH`` or ``postgresql://...``.

    With ``create``, a missing folder, file, table or metric's column is created, and an older layout is migrated.
    Without it, nothing is written, and a database without sweeps is an error. ``optuna`` says whether Optuna will use
    the database too (default: the value of ``create``); then Optuna's tables are checked as well. A database that
    must not be written to (`judge`), or that cannot be although it has to (`guard`), is refused and left unchanged.
    Where nothing can be written, the others are read without any change. Raises UserError; with
    ``patience``, waits for a database that is unavailable, now and in everything that is done with the storage.
    """
    return patiently(patience, lambda: replace(_open(url, create, optuna), patience=patience))


def _open(url: str, create: bool, optuna: bool | None) -> Storage:
    parsed = parse(url)
    if not create and _is_missing(parsed):
        raise UserError(f"no database at {place(parsed)}; run a sweep first, or name another with --storage")
    optuna = create if optuna is None else optuna
    engine, found = _look(parsed, write=optuna)
    _accept(engine, found, optuna)
    if not create and not found.ours:
        engine.dispose()
        raise UserError(f"no sweeps in {place(parsed)}; run a sweep first")
    storage = _ready(engine, found, write=optuna)
    if create and (found.version != VERSION or storage.lacks):
        _make_folder(parsed)
        try:
            with _alone(storage) as connection:
                _make_tables(connection)
        except (ProgrammingError, InternalError) as error:  # a read-only server, or a user without the right
            engine.dispose()
            raise trouble(error.orig or error, parsed) from error
        except BaseException:
            engine.dispose()
            raise
    return replace(storage, layout=VERSION, lacks=frozenset()) if create else storage


def find_storage(url: str) -> Storage | None:
    """Open the database at ``url`` if it holds our tables; return None, creating nothing, if they could be created.

    Raises UserError for what `open_storage` would refuse with ``create``.
    """
    engine, found = _look(parse(url), write=True)
    _accept(engine, found, optuna=True)
    if found.ours:
        return _ready(engine, found, write=True)
    engine.dispose()
    return None


@contextlib.contextmanager
def _alone(storage: Storage) -> Iterator[Connection]:
    """Open a transaction in which the tables themselves may change and no other process writes.

    Foreign keys are off in it, because rows briefly lose what they refer to. SQLite lets ``foreign_keys`` change only
    outside a transaction, so the connection is closed at the end, and no pooled connection is left with them off.
    """
    with storage.plain_errors(), storage.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.detach()
            for pragma in ("foreign_keys = OFF", "legacy_alter_table = ON"):
                connection.connection.cursor().execute(f"PRAGMA {pragma}")
            connection.execution_options(decaybench_begin="BEGIN EXCLUSIVE")
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
                # Readers queue behind a change that waits for a table, so the wait is short.
                connection.execute(text(f"SET LOCAL lock_timeout = {round(_POSTGRES_WAIT_S * 1000)}"))
            yield connection


def _make_tables(connection: Connection) -> None:
    """Create our tables, or migrate older ones to the newest layout and add the metrics' columns that they lack.

    Another process may have done so since the first look, so the layout is read again; UserError if it is a newer one.
    """
    known = inspect(connection).has_table(VERSIONS.name)
    layout = connection.execute(select(func.max(VERSIONS.c.version))).scalar_one() if known else None
    if layout is None:
        METADATA.create_all(connection)
        connection.execute(insert(VERSIONS), {"version": VERSION})
        return
    judge(Found(dict.fromkeys(TABLES, frozenset[str]()), version=layout), connection.engine.url)
    migrate(connection, layout)
    add_metrics(connection)


def _is_missing(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not os.path.exists(str(url.database))


def _make_folder(url: URL) -> None:
    if url.get_backend_name() == "sqlite":
        try:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{place(url)} cannot be created: {error.strerror}") from error


def _look(url: URL, *, write: bool) -> tuple[Engine, Found]:
    """Return an engine that has written nothing, and what its database holds."""
    if url.get_backend_name() == "sqlite":
        return create_engine(url, hide_parameters=True), look_at_file(
            Path(str(url.database)), BUSY_TIMEOUT, write=write
        )
    return reach(url)


def _accept(engine: Engine, found: Found, optuna: bool) -> None:
    """Dispose of the engine and raise UserError if `judge` refuses what its database holds."""
    try:
        judge(found, engine.url, optuna=optuna)
    except UserError:
        engine.dispose()
        raise


def _ready(engine: Engine, found: Found, *, write: bool) -> Storage:
    url = engine.url
    optunas, readonly = url.render_as_string(hide_password=False), False
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        readonly = not write and not is_writable(path)
        try:
            if not readonly:
                _try_disk(path)
        except (sqlite3.Error, OSError) as error:
            readonly = not write and (isinstance(error, OSError) or isinstance(trouble(error, url), UnavailableError))
            if not readonly and isinstance(error, OSError):
                raise UserError(f"{place(url)} cannot be written: {error.strerror}") from error
            if not readonly:
                raise trouble(error, url) from error
    if readonly:
        engine, optunas = _reader(url)
    else:
        configure(engine)
    begin_by_hand(engine)
    layout = found.version or VERSION
    lacks = lacking(layout, found.tables) if found.ours else frozenset[str]()
    return Storage(engine, optunas, layout, lacks, readonly)


def _reader(url: URL) -> tuple[Engine, str]:
    """Return an engine that reads a SQLite file where nothing can be written, and a URL that does so for Optuna's."""
    path, folder = Path(str(url.database)), None
    try:
        if (options := without_trace(path, BUSY_TIMEOUT)) is None:
            folder = tempfile.mkdtemp(prefix="decaybench-")
            path, options = copied(path, Path(folder)), OF_COPY
    except sqlite3.Error as error:
        raise trouble(error, url) from error
    opening = functools.partial(connect, path, options, BUSY_TIMEOUT, check_same_thread=False)
    engine = create_engine(url, hide_parameters=True, creator=opening)
    if folder is not None:
        weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
    pairs = dict(each.split("=") for each in f"{options}&uri=true".split("&"))
    return engine, str(url.set(database=path.as_uri()).set(query=pairs))


def _try_disk(path: Path) -> None:
    """Write to a temporary database next to ``path``, unless a process already has the one at ``path`` open.

    A disk that cannot share a write-ahead log, such as a network disk, fails only when it is written to. Without this
    trial, half of a new database would be left behind, or an existing one changed.
    """
    if any(Path(f"{path}{side}").exists() for side in SIDES):
        return
    folder = next(parent for parent in path.parents if parent.exists())
    with (
        tempfile.TemporaryDirectory(prefix=".decaybench-", dir=folder) as trial,
        contextlib.closing(sqlite3.connect(Path(trial) / "x.db", isolation_level=None)) as connection,
    ):
        set_pragmas(connection, None)
        connection.execute("PRAGMA synchronous = OFF")  # quick, and nothing here must last
        connection.execute("CREATE TABLE tried (x)")
