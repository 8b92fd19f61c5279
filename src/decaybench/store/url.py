"""Which URLs name a database of ours, and what of them people may read."""

import os
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from decaybench.errors import UserError

DEFAULT_STORAGE: Final = "sqlite:///studies/decaybench.db"
_SERVER: Final = "postgresql://USER:PASSWORD@HOST/DATABASE"


def storage_url(given: str | None) -> str:
    """The database: as given, else DECAYBENCH_STORAGE, else studies/decaybench.db below the working directory."""
    return given or os.environ.get("DECAYBENCH_STORAGE") or DEFAULT_STORAGE


def parse(url: str) -> URL:
    """The URL, a file's path in it absolute; UserError for one that is none of ours."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What cannot be parsed may hold a password anywhere, so little of it is repeated.
        if ":" in url or "@" in url:
            said, advice = url.partition(":")[0] + ":...", f"sqlite:///PATH or {_SERVER}"
        else:
            said, advice = url, f"sqlite:///{url or 'PATH'}"
        raise UserError(f"storage {said!r} is not a database URL; write {advice}") from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"):
        raise UserError(f"storage {parsed.drivername}://... is not supported; use sqlite:///PATH or {_SERVER}")
    return parsed.set(database=str(_path(parsed))) if parsed.get_backend_name() == "sqlite" else parsed


def place(url: URL) -> str:
    """The place as people may read it: a file's path, or host and database without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


def _path(url: URL) -> Path:
    """The absolute path of a SQLite URL's file, links followed."""
    database, query = url.database or "", dict(url.query)
    if database in ("", ":memory:") or database.startswith("file::memory:") or query.get("mode") == "memory":
        raise UserError("storage in memory cannot be shared with Optuna or resumed; use sqlite:///PATH")
    if query.get("mode") == "ro" or "immutable" in query:
        raise UserError(f"storage {database} is opened read-only by its URL; decaybench must write to it")
    if query or database.startswith("file:"):
        raise UserError(f"storage {database} has options in its URL; use plain sqlite:///PATH")
    try:
        return Path(database).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a name with a NUL
        raise UserError(f"storage {database!r} is not a file's path: {error}") from error
