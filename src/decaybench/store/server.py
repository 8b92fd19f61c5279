"""Connect to a PostgreSQL server, and inspect what its database holds."""

from typing import Final

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, ProgrammingError

from decaybench.errors import UserError
from decaybench.store import optunas
from decaybench.store.judge import KNOWN, NAMES, Found, found_in
from decaybench.store.patience import UnavailableError, passes
from decaybench.store.url import place

# Our statements and Optuna's use unqualified names, which follow the search path; so do these queries.
_RELATIONS: Final = text("""
    SELECT c.relname, c.relkind::text, array(
        SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), array(
        SELECT a.attname || ' ' || format_type(a.atttypid, NULL) FROM pg_index i JOIN pg_attribute a
        ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary
    )
    FROM pg_class c WHERE pg_table_is_visible(c.oid) AND c.relname = ANY(:names)
""")
_TYPES: Final = text("""
    SELECT t.typname, array(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid)
    FROM pg_type t WHERE pg_type_is_visible(t.oid) AND t.typrelid = 0 AND t.typname = ANY(:names)
""")
_TABLES: Final = ("r", "p")
_OTHERS: Final = {
    "i": "an index",
    "I": "an index",
    "S": "a sequence",
    "v": "a view",
    "m": "a view",
    "c": "a type",
    "f": "a foreign table",
}


def reach(url: URL) -> tuple[Engine, Found]:
    """Return an engine for a server, and what its database holds; UserError when it cannot be reached."""
    try:
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except ImportError as error:
        raise UserError(f"storage {place(url)} needs psycopg; pip install 'psycopg[binary]'") from error
    except ArgumentError:
        raise UserError(_unreadable(url)) from None
    try:
        engine.connect().close()
    except (TypeError, ValueError):
        raise UserError(_unreadable(url)) from None
    except (DatabaseError, InterfaceError) as error:
        if isinstance(error, ProgrammingError) and getattr(error.orig, "sqlstate", None) is None:
            # Not from the server: the driver cannot read the URL itself, and its message repeats parts of it.
            raise UserError(_unreadable(url)) from None
        raise _said(error.orig or error, url) from error
    try:
        return engine, _look(engine)
    except (DatabaseError, InterfaceError) as error:
        engine.dispose()
        raise _said(error.orig or error, url) from error


def _said(error: BaseException, url: URL) -> UserError:
    return (UnavailableError if passes(error) else UserError)(said_by_server(error, url))


def said_by_server(error: BaseException, url: URL) -> str:
    """Return the first line of the driver's message.

    It does not contain the password (`url.parse`). Replacing the password's text would reveal a short one, because
    the stars would also replace ordinary text that happens to match it.
    """
    said, _, _ = str(error).strip().partition("\n")
    return f"{place(url)}: {said}"


def _look(engine: Engine) -> Found:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:  # all from one state
        relations = connection.execute(_RELATIONS, {"names": sorted(NAMES | optunas.ENUMS.keys())}).all()
        types = connection.execute(_TYPES, {"names": sorted(KNOWN | optunas.ENUMS.keys())}).all()
        tables = [row for row in relations if row.relkind in _TABLES and row.relname in KNOWN]
        taken = {name: "a type" for name, _ in types}
        for name, kind, *_ in relations:
            has_type = kind not in ("i", "I", "S")  # of the same name; without one, the name is free for a type
            if not (kind in _TABLES and name in KNOWN) and (has_type or name not in optunas.ENUMS):
                taken[name] = _OTHERS.get(kind, "a table")
        return found_in(
            {name: frozenset(columns) for name, _, columns, _ in tables},
            lambda query: connection.execute(text(query)).scalars(),
            keys={name: frozenset(key) for name, *_, key in tables},
            taken=taken,
            enums={name: frozenset(labels) for name, labels in types if name in optunas.ENUMS},
        )


def _unreadable(url: URL) -> str:
    return f"{place(url)}: the storage URL has an option or a character that PostgreSQL's driver does not accept"
