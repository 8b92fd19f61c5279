"""Migrate a database from an older layout to the newest: one function per layout, applied in order.

Each runs inside the transaction that also writes the new layout's number, so a killed process or a full disk leaves
the old layout intact. On SQLite, foreign keys are off meanwhile (`open`).

The columns of further metrics belong to no layout: `add_metrics` adds those that are missing. A column of a metric that
this program does not know is ignored, as is any other column that is not ours. Since it may be NULL, rows can still be
written.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Column, Connection, inspect, text, update
from sqlalchemy.schema import CreateColumn, CreateTable

from decaybench.errors import UserError
from decaybench.store.schema import METADATA, VERSIONS, lacking, tables
from decaybench.store.url import place


def layout_2(connection: Connection) -> None:
    """Add to ``runs`` the columns for replays, pruning and the count of shared updates."""
    _add_columns(connection, 2)


def layout_3(connection: Connection) -> None:
    """Allow test results in search runs and new statuses and outcomes, and add the table ``looks``.

    SQLite cannot drop a CHECK, so there ``sweeps`` and ``runs`` are rebuilt without those checks.
    """
    if connection.dialect.name == "postgresql":
        dropped = "DROP CONSTRAINT IF EXISTS search_reads_no_test, DROP CONSTRAINT IF EXISTS outcome_known"
        connection.execute(text(f"ALTER TABLE runs {dropped}"))
        connection.execute(text("ALTER TABLE sweeps DROP CONSTRAINT IF EXISTS status_known"))
    else:
        before = _without_parent(connection)
        for name in ("sweeps", "runs"):
            _rebuild(connection, name, 3)
        if _without_parent(connection) != before:
            raise RuntimeError("the new tables have lost rows that others refer to")
    tables(3).tables["looks"].create(connection)


def layout_4(connection: Connection) -> None:
    """Make the table ``looks`` anew, with the columns it lacked; layout 3 had it, but nothing wrote to it."""
    tables(3).tables["looks"].drop(connection)
    tables(4).tables["looks"].create(connection)


def layout_5(connection: Connection) -> None:
    """Add the tables for stacks, attempts and checkpoints, and to ``runs`` the reason why a run failed.

    An older sweep fills them when it goes on.
    """
    _add_columns(connection, 5)
    for name in ("stacks", "attempts", "checkpoints"):
        tables(5).tables[name].create(connection)


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (layout_2, layout_3, layout_4, layout_5)
VERSION: Final = 1 + len(MIGRATIONS)
"""The layout that this code writes; the one row of ``decaybench_version``. Older ones are read as they are."""


def migrate(connection: Connection, layout: int) -> None:
    """Migrate the tables from ``layout`` to the newest."""
    for number, step in enumerate(MIGRATIONS, start=2):
        if number > layout:
            step(connection)
    connection.execute(update(VERSIONS).values(version=VERSION))


def add_metrics(connection: Connection) -> None:
    """Add the metrics' columns that the newest layout's tables lack."""
    found = {
        name: frozenset(each["name"] for each in inspect(connection).get_columns(name)) for name in METADATA.tables
    }
    missing = lacking(VERSION, found)
    for table in METADATA.tables.values():
        for column in table.columns:
            if str(column) in missing:
                _add_column(connection, column)


def _add_columns(connection: Connection, layout: int) -> None:
    """Add to ``runs`` the columns that are new in ``layout``."""
    for column in tables(layout).tables["runs"].columns:
        if column.info["since"] == layout:
            _add_column(connection, column)


def _add_column(connection: Connection, column: Column[Any]) -> None:
    described = CreateColumn(column).compile(connection.engine)
    connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {described}"))


def _rebuild(connection: Connection, name: str, layout: int) -> None:
    """Rebuild a table in its form in ``layout``, keeping its rows, indexes and triggers.

    These are SQLite's steps (https://sqlite.org/lang_altertable.html, section 7), in that order. With foreign keys on,
    DROP would delete the rows of other tables that refer to this one; had the old table been renamed, they would
    refer to the renamed table. ``legacy_alter_table`` ignores views of this table, which are broken until the last
    step.
    """
    table, run = tables(layout).tables[name], connection.exec_driver_sql
    names = [column.name for column in table.columns]
    if more := set(run(f"SELECT name FROM pragma_table_info('{name}')").scalars()) - set(names):
        column = f"{place(connection.engine.url)}: its table {name!r} has a column {min(more)!r}"
        raise UserError(f"{column} that is not decaybench's; drop it first")
    with_it = "type IN ('index', 'trigger') AND sql IS NOT NULL AND lower(tbl_name) = ?"
    kept = run(f"SELECT sql FROM sqlite_master WHERE {with_it}", (name,)).scalars().all()
    create, columns = str(CreateTable(table).compile(connection.engine)), ", ".join(names)
    run(create.replace(f"CREATE TABLE {name} ", f"CREATE TABLE new_{name} ", 1))
    run(f"INSERT INTO new_{name} ({columns}) SELECT {columns} FROM {name}")
    run(f"DROP TABLE {name}")
    run(f"ALTER TABLE new_{name} RENAME TO {name}")
    for sql in kept:
        run(sql)


def _without_parent(connection: Connection) -> int:
    """Return the number of rows that refer to a missing row."""
    return len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
