"""Which database URLs are accepted, and which parts of them may be shown.

Passwords are kept out of messages here, not where the messages are written: a URL in which part of the password
could be taken for something else (the host, an option) is refused, and no part of it is repeated.
"""

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from decaybench.errors import UserError
from decaybench.paths import expanded

DEFAULT_STORAGE: Final = "sqlite:///studies/decaybench.db"
SERVER: Final = "postgresql://USER:PASSWORD@HOST/DATABASE"
_ENCODED: Final = "@ as %40, : as %3A, / as %2F, ? as %3F, & as %26, % as %25"
_PATHS: Final = ("host", "passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")
"""Options of a server's URL that may be paths; the host is a path if it is a socket's folder."""


def storage_url(given: str | None) -> str:
    """Return the URL given, else DECAYBENCH_STORAGE, else studies/decaybench.db below the working directory."""
    return given or os.environ.get("DECAYBENCH_STORAGE") or DEFAULT_STORAGE


def parse(url: str) -> URL:
    """Parse a URL, with its paths made absolute (on a server, with ``~`` expanded); UserError if it is not accepted."""
    if not isinstance(url, str):  # Python callers may pass anything, such as a Path
        raise UserError(f"storage must be a str, sqlite:///PATH or {SERVER}, got a {type(url).__name__}")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Text that cannot be parsed may hold a password anywhere, so it is repeated only if it looks like a path.
        if re.search(r"[:@?&=]", url):
            raise UserError(f"storage is not a database URL; write sqlite:///PATH or {SERVER}") from None
        raise UserError(f"storage {url!r} is not a database URL; write sqlite:///{url or 'PATH'}") from None
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"):
        raise UserError(f"storage {parsed.drivername}://... is not supported; use sqlite:///PATH or {SERVER}")
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(database=str(_path(parsed, url)))
    _require_plain(parsed, url)
    given = {key: value for key in _PATHS if isinstance(value := parsed.query.get(key), str) and value[:1] == "~"}
    return parsed.update_query_dict(
        {key: str(expanded(path, f"storage postgresql://...: {key}")) for key, path in given.items()}
    )


def absolute(url: str) -> str:
    """Return the URL from `parse` as text, password included: it names the same database from any folder."""
    return parse(url).render_as_string(hide_password=False)


def place(url: URL) -> str:
    """Return the location for display: a file's path, or host and database without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


def _path(url: URL, given: str) -> Path:
    """Return the absolute path of a SQLite URL's file, with ``~`` expanded and links followed."""
    database, query = url.database or "", dict(url.query)
    if (url.username, url.password, url.host, url.port) != (None,) * 4:
        raise UserError("storage sqlite://... names a host, which a file does not have; use sqlite:///PATH")
    if database in ("", ":memory:") or database.startswith("file::memory:") or query.get("mode") == "memory":
        raise UserError("storage in memory cannot be shared with Optuna or resumed; use sqlite:///PATH")
    if query.get("mode") == "ro" or "immutable" in query:
        raise UserError(f"storage {database} is opened read-only by its URL; decaybench must write to it")
    if query or database.startswith("file:"):
        raise UserError(f"storage {database} has options in its URL; use plain sqlite:///PATH, a ? in PATH as %3F")
    if "?" in given:  # the rest would be dropped, and another file created
        raise UserError(f"storage {database} is cut off by a ? in its URL; write a ? in PATH as %3F")
    if database.endswith("/"):
        raise UserError(f"storage {database} is a folder; add the name of a file")
    try:
        return expanded(database, "storage").resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a name with a NUL
        raise UserError(f"storage {database!r} is not a file's path: {error}") from error


def _require_plain(parsed: URL, given: str) -> None:
    """Raise UserError unless a server's URL can be read in only one way."""
    rest = given.partition("://")[2]
    user, at, place = rest.rpartition("@")
    wrong, advice = None, f"within user, password and options write {_ENCODED}"
    if "\0" in given or "%00" in given:  # the driver takes it for the URL's end
        wrong, advice = "has a NUL", "leave it out"
    elif "@" in user or (at and parsed.username is None) or re.search(r"\?.*=", user, re.DOTALL):
        # The text after the first @, the end of the password, would be taken for the host.
        wrong = "has an @ that is not between password and host"
    elif parsed.port is not None and not 0 < parsed.port < 2**16:
        wrong, advice = "has a port that is not in 1 .. 65535", f"write {SERVER.replace('HOST', 'HOST:PORT')}"
    elif "?" in place and not _all_pairs(place.partition("?")[2]):
        wrong = "has an option without a value"
    if wrong is not None:
        raise UserError(f"storage postgresql://...: {wrong}; {advice}")


def _all_pairs(query: str) -> bool:
    try:
        return bool(parse_qsl(query, strict_parsing=True))
    except ValueError:
        return False
