"""Files as older layouts left them, and what must stay of them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd

from decaybench.store import Progress, Storage, load_frames, open_storage, pending_runs, progress, runs, some_runs
from decaybench.store.columns import RunRow
from decaybench.store.described import data_columns, described
from decaybench.store.schema import METADATA

LATER = {name for name, table in METADATA.tables.items() if table.info["since"] > 2}
"""The tables that neither of the two layouts had."""


def lacks(layout: int) -> list[str]:
    """The columns of ``runs`` that the layout had not."""
    return [each.name for each in described(RunRow) if each.kept.since > layout]


def written(path: Path, layout: int) -> Path:
    """A file as the layout left it: 1 with one planned run, the others with a small sweep that was really trained.

    From layout 4 on, it has a look.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((Path(__file__).parent / "store" / f"layout_{layout}.sql").read_text())
    return path


def newest(path: Path) -> Path:
    """The file that layout 4 left, upgraded."""
    open_storage(f"sqlite:///{written(path, 4)}", create=True).engine.dispose()
    return path


def version(path: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version FROM decaybench_version").fetchall()


def content(path: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of every table, in their order, without what is NULL; not our version's, nor later tables without rows."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = connection.execute(f"SELECT rowid AS number, * FROM {name} ORDER BY 1")
            keys = [column[0] for column in rows.description]
            found[name] = [{k: v for k, v in zip(keys, row, strict=True) if v is not None} for row in rows]
    return {name: rows for name, rows in found.items() if name != "decaybench_version" and (rows or name not in LATER)}


def schema(path: Path) -> list[tuple[str, str, str, str | None]]:
    """Every table, index, trigger and view: type, name, table and SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name").fetchall()


def assert_read(storage: Storage) -> None:
    """The one run is read, and NULL for what its layout lacks."""
    for rows in (runs(storage, "old"), pending_runs(storage, "old"), some_runs(storage, ["a"])):
        (row,) = rows
        assert (row.id, row.seed) == ("a", 7) and {getattr(row, name) for name in lacks(1)} == {None}
    frame = load_frames(storage, "old").runs
    assert list(frame.columns) == list(data_columns(RunRow))
    assert pd.isna(frame.loc[0, [name for name in lacks(1) if name in frame.columns]]).all()
    assert progress(storage, "old") == [Progress("search", "constant", 1, finished=0, diverged=0, failed=0, pending=1)]
