"""The only engine factory: URLs, guards, pragmas and transactions."""

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, InternalError, OperationalError, ProgrammingError, StatementError

from decaybench.errors import UserError
from decaybench.store.guard import SIDES, is_locked, known_trouble, look_at_file
from decaybench.store.judge import Found, judge
from decaybench.store.migrations import VERSION, add_metrics, migrate
from decaybench.store.schema import METADATA, TABLES, VERSIONS, lacking
from decaybench.store.server import reach, said_by_server
from decaybench.store.url import parse, place

BUSY_TIMEOUT = 60.0
"""How long, in seconds, to wait for another process's lock."""

_POSTGRES_LOCK = 0x6465636179  # "decay": an arbitrary number that identifies the creation of our tables
_POSTGRES_WAIT_S = 10


@dataclass(frozen=True, repr=False)
class Storage:
    """An open database: the engine of our tables, and the URL for Optuna (absolute, password included).

    ``layout`` is that of the tables, and ``lacks`` names the columns, as "runs.pruned", that they do not have yet. A
    database with an older layout, or without some columns, can only be read.
    """

    engine: Engine
    url: str
    layout: int = VERSION
    lacks: frozenset[str] = frozenset()

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database; the last process to close a SQLite database removes its write-ahead log."""
        self.engine.dispose()

    @property
    def file(self) -> Path | None:
        """The database's file, absolute; None on a server."""
        sqlite = self.engine.dialect.name == "sqlite"
        return Path(str(self.engine.url.database)).resolve() if sqlite else None

    @property
    def where(self) -> str:
        """The location for display: a file's path, or host and database without the password."""
        return place(self.engine.url)

    def __repr__(self) -> str:
        return f"Storage({self.where})"

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction. It takes its lock at once, so that no two wait for each other.

        Raises UserError when the database stays locked, is full, unreachable or damaged.
        """
        with self.plain_errors(), self.engine.connect() as connection:
            connection.execution_options(decaybench_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction, in which every SELECT sees the same state. Raises UserError as `write` does."""
        with self.plain_errors(), self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Turn errors of the database's environment into UserError, and leave errors of the program as they are.

        It also serves transactions of Optuna's engine on this database.
        """
        try:
            yield
        except StatementError as error:
            if isinstance(error.orig, ValueError):  # raised by our own column types before the driver is called
                raise error.orig from None
            if type(error) not in (DatabaseError, OperationalError) or error.orig is None:
                raise
            raise UserError(_said_by(error.orig, self.engine.url)) from error


def open_storage(url: str, *, create: bool, optuna: bool | None = None) -> Storage:
    """Open the database at ``url``, ``sqlite:///PATH`` or ``postgresql://...``.

    With ``create``, a missing folder, file, table or metric's column is created, and an older layout is migrated.
    Without it, nothing is written, and a database without sweeps is an error. ``optuna`` says whether Optuna will use
    the database too (default: the value of ``create``); then Optuna's tables are checked as well. A database that
    cannot or must not be written to (`guard`, `judge`) is refused and left unchanged. Raises UserError.
    """
    parsed = parse(url)
    if not create and _is_missing(parsed):
        raise UserError(f"no database at {place(parsed)}; run a sweep first, or name another with --storage")
    engine, found = _look(parsed)
    _accept(engine, found, create if optuna is None else optuna)
    if not create and not found.ours:
        engine.dispose()
        raise UserError(f"no sweeps in {place(parsed)}; run a sweep first")
    storage = _ready(engine, found)
    if create and (found.version != VERSION or storage.lacks):
        _make_folder(parsed)
        try:
            with _alone(storage) as connection:
                _make_tables(connection)
        except (ProgrammingError, InternalError) as error:  # a read-only server, or a user without the right
            engine.dispose()
            raise UserError(_said_by(error.orig or error, parsed)) from error
        except BaseException:
            engine.dispose()
            raise
    return replace(storage, layout=VERSION, lacks=frozenset()) if create else storage


def find_storage(url: str) -> Storage | None:
    """Open the database at ``url`` if it holds our tables; return None, creating nothing, if they could be created.

    Raises UserError for what `open_storage` would refuse with ``create``.
    """
    engine, found = _look(parse(url))
    _accept(engine, found, optuna=True)
    if found.ours:
        return _ready(engine, found)
    engine.dispose()
    return None


def configure(engine: Engine) -> None:
    """Set the pragmas on every connection of a SQLite engine, ours or Optuna's; other engines stay unchanged.

    They are journal_mode WAL, synchronous FULL, busy_timeout 60 s and foreign_keys ON. Connections that the engine
    has already pooled are discarded, so that none lacks them.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        engine.dispose()


def _set_pragmas(connection: sqlite3.Connection, record: object) -> None:
    cursor = connection.cursor()
    # SQLite does not always wait when two processes change the journal mode at once, so this code waits.
    cursor.execute("PRAGMA busy_timeout = 0")
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            (mode,) = cursor.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise UserError(
            f"the database's disk cannot hold a write-ahead log (SQLite keeps mode {mode}); use a local disk"
        )
    cursor.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT * 1000)}")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_by_hand(engine: Engine) -> None:
    """Let SQLAlchemy emit BEGIN: Python's driver begins only at the first change, and without a lock."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _leave_it_to_us(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("decaybench_begin", "BEGIN"))


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


def _look(url: URL) -> tuple[Engine, Found]:
    """Return an engine that has written nothing, and what its database holds."""
    if url.get_backend_name() == "sqlite":
        return create_engine(url, hide_parameters=True), look_at_file(Path(str(url.database)), BUSY_TIMEOUT)
    return reach(url)


def _accept(engine: Engine, found: Found, optuna: bool) -> None:
    """Dispose of the engine and raise UserError if `judge` refuses what its database holds."""
    try:
        judge(found, engine.url, optuna=optuna)
    except UserError:
        engine.dispose()
        raise


def _ready(engine: Engine, found: Found) -> Storage:
    if (url := engine.url).get_backend_name() == "sqlite":
        try:
            _try_disk(Path(str(url.database)))
        except sqlite3.Error as error:
            raise UserError(_said_by(error, url)) from error
        except OSError as error:
            raise UserError(f"{place(url)} cannot be written: {error.strerror}") from error
    configure(engine)
    _begin_by_hand(engine)
    layout = found.version or VERSION
    lacks = lacking(layout, found.tables) if found.ours else frozenset[str]()
    return Storage(engine, url.render_as_string(hide_password=False), layout, lacks)


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
        _set_pragmas(connection, None)
        connection.execute("PRAGMA synchronous = OFF")  # quick, and nothing here must last
        connection.execute("CREATE TABLE tried (x)")


def _said_by(error: BaseException, url: URL) -> str:
    return known_trouble(error, place(url), BUSY_TIMEOUT) or said_by_server(error, url)
