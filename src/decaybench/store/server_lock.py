"""A lock on a PostgreSQL server, which one connection holds until it is closed or lost."""

import hashlib
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from decaybench.store.storage import Storage

# If the holder's machine vanishes, the server notices after a minute instead of two hours.
_BEGIN: Final = text("""
    SELECT set_config('application_name', :holder, false), set_config('tcp_keepalives_idle', '30', false),
        set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)
""")
_TRY: Final = text("SELECT pg_try_advisory_lock(:high, :low)")
# The two halves of the key are columns of this view.
_HOLDER: Final = text("""
    SELECT a.application_name FROM pg_locks l
    JOIN pg_stat_activity a ON a.pid = l.pid
    JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
    WHERE l.locktype = 'advisory' AND l.granted
    AND l.classid = CAST(:high AS int)::oid AND l.objid = CAST(:low AS int)::oid
""")


class ServerLock:
    """An advisory lock called ``name``. The server releases it when the connection of its holder ends."""

    def __init__(self, storage: Storage, name: str, holder: str) -> None:
        """A lock that ``holder`` may take; others see this name."""
        digest = hashlib.sha256(f"decaybench {name}".encode()).digest()
        self._key = {
            "high": int.from_bytes(digest[:4], signed=True),
            "low": int.from_bytes(digest[4:8], signed=True),
        }
        self._storage, self._holder = storage, holder[:63]  # the server cuts longer names
        self._connection: Connection | None = None
        self._driver: Any

    def take(self) -> str | None:
        """Take the lock; returns None, or the holder if another connection has it. Raises UserError as `write` does."""
        with self._storage.plain_errors():
            # A connection of its own, which no pool hands to others.
            engine = self._storage.engine.execution_options(isolation_level="AUTOCOMMIT")
            connection = engine.connect()
            driver = connection.connection.driver_connection
            connection.detach()
            connection.execute(_BEGIN, {"holder": self._holder})
            if connection.execute(_TRY, self._key).scalar_one():
                self._connection, self._driver = connection, driver
                return None
            found = connection.execute(_HOLDER, self._key).scalars().first()
            connection.close()
            return str(found or "another process")

    def held(self) -> bool:
        """Whether the connection that holds the lock is still there."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.close()
            self._driver.close()  # SQLAlchemy forgets a detached connection that the server has ended
            self._connection = None
