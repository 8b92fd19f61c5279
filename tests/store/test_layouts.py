"""Databases of an older layout: read as they are, and given what they lack by what writes to them only."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

import decaybench
from decaybench.errors import UserError
from decaybench.report import source
from decaybench.runner import audit
from decaybench.search import read_study
from decaybench.store import (
    VERSION,
    find_storage,
    load_frames,
    open_storage,
    runs,
)
from decaybench.store import open as opening
from decaybench.store import storage as connections
from decaybench.store.schema import RUNS, TABLES
from old_layouts import assert_read, content, schema, version, written

HASHES = {
    "sweep": "c1f1df6bc7c3587df052723c024888621c8ad6465b30c0bb4110984011e3c7b0",
    "runs": "4f6a41587419655a88ddf02b8bf1eefa3a15b27fa64713b313bc64f955e3982a",
    "epochs": "48490485e1c2aafd7e64b94583f72784e49937c320615e8f48be476f0298ba1a",
    "traces": "1a373275dea288b17b4ea7f3841fab73bee0a013fc874c51c283d2daa828a916",
    "study": "cc8376427637eaab99fd867d3a5dde867405c75dd971db9e871a614f8e341d29",
}
"""Of layout_2.sql, in the manifest of the report that the program wrote which made it."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return written(tmp_path / "x.db", 1)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return written(tmp_path / "x.db", 2)


def test_a_reader_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with open_storage(f"sqlite:///{old}", create=False) as storage:
        assert_read(storage)
    found = find_storage(f"sqlite:///{old}")
    assert found is not None
    with found:
        assert_read(found)
    assert old.read_bytes() == before and os.listdir(old.parent) == ["x.db"]


def test_a_writer_adds_what_is_missing(old: Path) -> None:
    with open_storage(f"sqlite:///{old}", create=True) as storage:
        assert_read(storage)
        with storage.read() as connection:
            names = [row.name for row in connection.execute(text("PRAGMA table_info(runs)"))]
        assert sorted(names) == sorted(column.name for column in RUNS.columns)
        for refused in ("pruned = 'x'", "updates_computed = -1"):
            with pytest.raises(IntegrityError), storage.write() as connection:
                connection.execute(text(f"UPDATE runs SET {refused}"))
    assert version(old) == [(VERSION,)]


WRITER = """
import sys, time
from pathlib import Path
from decaybench.store import open_storage, runs
url, me, gate = sys.argv[1:]
Path(gate + me).touch()
while not Path(gate).exists(): time.sleep(0.0005)
with open_storage(url, create=True) as storage:
    assert len(runs(storage, "old")) in (1, 8)
"""


@pytest.mark.parametrize("layout", [1, 2])
def test_two_processes_upgrade_at_once(tmp_path: Path, layout: int) -> None:
    path, gate = written(tmp_path / "x.db", layout), tmp_path / "gate"
    before = content(path)
    command = [sys.executable, "-W", "error", "-c", WRITER, f"sqlite:///{path}"]
    env = os.environ | {"PYTHONPATH": str(Path(decaybench.__file__).parents[1])}
    started = [subprocess.Popen([*command, f"{n}", gate], env=env, stderr=subprocess.PIPE, text=True) for n in range(2)]
    while len(list(tmp_path.glob("gate?*"))) < 2 and all(process.poll() is None for process in started):
        time.sleep(0.001)
    gate.touch()
    for process in started:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert version(path) == [(VERSION,)] and content(path) == before


def test_who_comes_second_finds_it_done(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = opening._look(make_url(f"sqlite:///{old}"), write=True)
    open_storage(f"sqlite:///{old}", create=True).engine.dispose()
    monkeypatch.setattr(opening, "_look", lambda url, **_: late)
    with open_storage(f"sqlite:///{old}", create=True) as storage:
        assert storage.layout == VERSION
        assert_read(storage)


def test_what_a_newer_version_upgraded_meanwhile_is_refused_as_it_is(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = opening._look(make_url(f"sqlite:///{old}"), write=True)
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE decaybench_version SET version = 7")
    monkeypatch.setattr(opening, "_look", lambda url, **_: late)
    with pytest.raises(UserError, match="written by a newer decaybench"):
        open_storage(f"sqlite:///{old}", create=True)
    assert version(old) == [(7,)]
    with closing(sqlite3.connect(old)) as connection:
        assert "pruned" not in [row[1] for row in connection.execute("PRAGMA table_info(runs)")]


def shape(path: Path) -> dict[str, str]:
    """What our tables are, but for the place of what an ALTER TABLE put at the end."""
    with closing(sqlite3.connect(path)) as connection:
        found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    return {name: " ".join(sorted(found[name].replace('"', "").replace(",", "").split())) for name in TABLES}


@pytest.mark.parametrize("layout", range(1, VERSION))
def test_an_upgraded_file_has_the_rows_that_it_had_and_the_tables_of_a_new_one(tmp_path: Path, layout: int) -> None:
    path = written(tmp_path / "x.db", layout)
    before = content(path)
    counts = [len(before.get(table, ())) for table in ("runs", "epochs", "traces", "looks")]
    assert counts == {1: [1, 0, 0, 0], 4: [66, 34, 66, 1]}.get(layout, [8, 12, 8, 0])
    open_storage(f"sqlite:///{path}", create=True).engine.dispose()
    open_storage(f"sqlite:///{tmp_path}/new.db", create=True).engine.dispose()
    assert content(path) == before and version(path) == [(VERSION,)]
    assert shape(path) == shape(tmp_path / "new.db")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_refers_to_an_upgraded_table_goes_with_it(trained: Path) -> None:
    with open_storage(f"sqlite:///{trained}", create=True) as storage:
        for _ in range(2):  # whichever connection the engine gives
            with storage.read() as connection:
                assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        with storage.write() as connection:
            connection.execute(text("DELETE FROM sweeps"))
            counts = [connection.execute(text(f"SELECT count(*) FROM {t}")).scalar_one() for t in ("runs", "epochs")]
    assert counts == [0, 0]


def test_a_sweep_of_an_older_layout_keeps_its_hashes_and_is_refused_before_and_after(
    trained: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{trained}"
    for create in (False, True):
        with open_storage(url, create=create) as storage:
            study = read_study(url, "old")
            assert study is not None
            frames = load_frames(storage, "old")
            assert source(frames, study.sha256)["database"] == HASHES
            (said,) = audit(frames, runs(storage, "old"), [], study)
            assert "was run by an older decaybench, whose trials have no test results" in said


def test_search_runs_may_have_test_results_after_it(trained: Path) -> None:
    change = "UPDATE runs SET test_accuracy = 0.5 WHERE phase = 'search'"
    with closing(sqlite3.connect(trained)) as connection, pytest.raises(sqlite3.IntegrityError, match="search_reads"):
        connection.execute(change)
    with open_storage(f"sqlite:///{trained}", create=True) as storage, storage.write() as connection:
        assert connection.execute(text(change)).rowcount == 5


def test_what_people_added_to_a_file_stays(trained: Path) -> None:
    added = [
        "CREATE INDEX mine ON runs (strategy)",
        "CREATE TRIGGER noted AFTER UPDATE ON runs BEGIN SELECT 1; END",
        "CREATE VIEW best AS SELECT max(validation_accuracy) FROM runs JOIN sweeps ON sweeps.id = sweep_id",
    ]
    asked = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name IN ('mine', 'noted', 'best') ORDER BY 1"
    with closing(sqlite3.connect(trained)) as connection:
        connection.executescript(";".join(added))
        before, best = connection.execute(asked).fetchall(), connection.execute("SELECT * FROM best").fetchall()
    open_storage(f"sqlite:///{trained}", create=True).engine.dispose()
    with closing(sqlite3.connect(trained)) as connection:
        assert connection.execute(asked).fetchall() == before and len(before) == 3
        assert connection.execute("SELECT * FROM best").fetchall() == best


def test_a_column_of_somebody_else_is_not_lost(trained: Path) -> None:
    with closing(sqlite3.connect(trained)) as connection, connection:
        connection.execute("ALTER TABLE runs ADD COLUMN remark TEXT")
    with pytest.raises(UserError, match="its table 'runs' has a column 'remark' that is not decaybench's"):
        open_storage(f"sqlite:///{trained}", create=True)
    assert version(trained) == [(2,)]


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_full_disk_leaves_the_old_layout(trained: Path, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    before, was = content(trained), schema(trained)
    pragmas = connections.set_pragmas

    def little_room(connection: sqlite3.Connection, record: object) -> None:
        pragmas(connection, record)
        (size,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {size + pages}")

    monkeypatch.setattr(connections, "set_pragmas", little_room)
    with pytest.raises(UserError, match=r"x\.db: database or disk is full"):
        open_storage(f"sqlite:///{trained}", create=True)
    assert content(trained) == before and schema(trained) == was and version(trained) == [(2,)]
