"""How a database of an older layout becomes one of the newest: one function per layout, applied in order.

Each is called inside the transaction that also writes the new layout's number, so a process that dies or a disk that
is full leaves the old layout as it was. On SQLite foreign keys are off, as `open` says.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text, update
from sqlalchemy.schema import CreateColumn, CreateTable

from decaybench.errors import UserError
from decaybench.store.schema import VERSIONS, tables
from decaybench.store.url import place


def layout_2(connection: Connection) -> None:
    """``runs`` gets what replays, pruning and the counting of shared updates need."""
    _add_columns(connection, 2)


def layout_3(connection: Connection) -> None:
    """Search runs may have test results, statuses and outcomes may have new names, and ``looks`` is there.

    SQLite cannot drop a CHECK, so there ``sweeps`` and ``runs`` are made anew, once and for all.
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


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (layout_2, layout_3)
VERSION: Final = 1 + len(MIGRATIONS)
"""The layout that this code writes; the one row of ``decaybench_version``. Older ones are read as they are."""


def migrate(connection: Connection, layout: int) -> None:
    """Bring the tables from ``layout`` to the newest."""
    for number, step in enumerate(MIGRATIONS, start=2):
        if number > layout:
            step(connection)
    connection.execute(update(VERSIONS).values(version=VERSION))


def _add_columns(connection: Connection, layout: int) -> None:
    """Add to ``runs`` the columns that ``layout`` brought."""
    for column in tables(layout).tables["runs"].columns:
        if column.info["since"] == layout:
            connection.execute(text(f"ALTER TABLE runs ADD COLUMN {CreateColumn(column).compile(connection.engine)}"))


def _rebuild(connection: Connection, name: str, layout: int) -> None:
    """Make a table anew as ``layout`` has it, its rows and what belongs to it kept.

    By SQLite's steps (https://sqlite.org/lang_altertable.html, 7) and in their order: with foreign keys on, DROP would
    delete the rows of other tables that refer to this one, and were the old table renamed, they would go on to refer
    to that. ``legacy_alter_table`` lets views of this table be, which are broken until the last step.
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
    """How many rows refer to one that is not there."""
    return len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())
