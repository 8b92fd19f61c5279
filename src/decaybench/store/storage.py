"""An open database: its transactions, the pragmas of its connections, and what its errors mean."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, OperationalError, StatementError

from decaybench.errors import UserError
from decaybench.store.guard import is_locked, known_trouble
from decaybench.store.migrations import VERSION
from decaybench.store.patience import Patience, UnavailableError, passes, patiently
from decaybench.store.server import said_by_server
from decaybench.store.url import place

BUSY_TIMEOUT = 60.0
"""How long, in seconds, to wait for another process's lock."""

_ASK_S: Final = 0.2

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Storage:
    """An open database: the engine of our tables, and the URL for Optuna (absolute, password included).

    ``layout`` is that of the tables, and ``lacks`` names the columns, as "runs.pruned", that they do not have yet. A
    database with an older layout, or without some columns, can only be read, and so can one that is ``readonly``
    because nothing can be written where it is. ``patience`` is what is done while the
    database is unavailable (None: an error is raised at once).
    """

    engine: Engine
    url: str
    layout: int = VERSION
    lacks: frozenset[str] = frozenset()
    readonly: bool = False
    patience: Patience | None = None

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

    def patiently(self, step: Callable[[], T]) -> T:
        """Do ``step``, which is one transaction at most, again for as long as the database is unavailable."""
        return patiently(self.patience, step)

    @contextlib.contextmanager
    def write(self, engine: Engine | None = None) -> Iterator[Connection]:
        """Open a write transaction. It takes its lock at once, so that no two wait for each other.

        ``engine`` may be another engine of this database, Optuna's. Raises UnavailableError when the database stays
        locked, is full or out of reach, and UserError when it is damaged.
        """
        with self.plain_errors(), (engine or self.engine).connect() as connection:
            connection.execution_options(decaybench_begin="BEGIN IMMEDIATE")
            transaction = connection.begin()
            if engine is not None and engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            number = None
            if connection.dialect.name == "postgresql":
                number = connection.execute(text("SELECT txid_current_if_assigned()")).scalar_one()
            try:
                transaction.commit()
            except DBAPIError as error:
                if number is None or not error.connection_invalidated or not self._committed(number):
                    raise

    def _committed(self, number: int) -> bool:
        """Whether a server has committed a transaction whose connection broke before it said so."""

        def ask() -> str | None:
            with self.plain_errors(), self.engine.connect() as connection:
                query = text("SELECT txid_status(:number)")
                said: str | None = connection.execute(query, {"number": number}).scalar_one()
                return said

        try:
            while (status := self.patiently(ask)) == "in progress":
                time.sleep(_ASK_S)
        except DataError:  # a number of the future: the server crashed before it had kept anything of this transaction
            return False
        return status == "committed"

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
            raise trouble(error.orig, self.engine.url) from error


def configure(engine: Engine) -> None:
    """Set the pragmas on every connection of a SQLite engine, ours or Optuna's; other engines stay unchanged.

    They are journal_mode WAL, synchronous FULL, busy_timeout 60 s and foreign_keys ON. Connections that the engine
    has already pooled are discarded, so that none lacks them.
    """
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_pragmas)
        engine.dispose()


def set_pragmas(connection: sqlite3.Connection, record: object) -> None:
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


def begin_by_hand(engine: Engine) -> None:
    """Let SQLAlchemy emit BEGIN: Python's driver begins only at the first change, and without a lock."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _leave_it_to_us(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("decaybench_begin", "BEGIN"))


def trouble(error: BaseException, url: URL) -> UserError:
    """What an error of the database at ``url`` means, in one line; UnavailableError if it may pass by itself."""
    known = known_trouble(error, place(url), BUSY_TIMEOUT)
    return known or (UnavailableError if passes(error) else UserError)(said_by_server(error, url))
