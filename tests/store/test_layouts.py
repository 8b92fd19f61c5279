"""Databases of an older layout: read as they are, and given what they lack by what writes to them only."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

import decaybench
from decaybench.errors import UserError
from decaybench.store import (
    Progress,
    Storage,
    find_storage,
    load_frames,
    open_storage,
    pending_runs,
    progress,
    runs,
    some_runs,
)
from decaybench.store import open as opening
from decaybench.store.schema import ADDED, VERSION, Run, Version

LACKS = [name for columns in ADDED.values() for name in columns]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as layout 1 left it."""
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((Path(__file__).parent / "layout_1.sql").read_text())
    return path


def version(path: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version FROM decaybench_version").fetchall()


def assert_read(storage: Storage) -> None:
    """The one run is read, and NULL for what its layout lacks."""
    for rows in (runs(storage, "old"), pending_runs(storage, "old"), some_runs(storage, ["a"])):
        (row,) = rows
        assert (row.id, row.seed) == ("a", 7) and [getattr(row, name) for name in LACKS] == [None] * 3
    frame = load_frames(storage, "old").runs
    assert list(frame.columns) == [column.name for column in Run.__table__.columns]
    assert pd.isna(frame.loc[0, LACKS]).all()
    assert progress(storage, "old") == [Progress("search", "constant", 1, finished=0, diverged=0, failed=0, pending=1)]


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
        assert sorted(names) == sorted(column.name for column in Run.__table__.columns)
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
    assert len(runs(storage, "old")) == 1
"""


def test_two_processes_upgrade_at_once(old: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = [sys.executable, "-W", "error", "-c", WRITER, f"sqlite:///{old}"]
    env = os.environ | {"PYTHONPATH": str(Path(decaybench.__file__).parents[1])}
    started = [subprocess.Popen([*command, f"{n}", gate], env=env, stderr=subprocess.PIPE, text=True) for n in range(2)]
    while len(list(tmp_path.glob("gate?*"))) < 2 and all(process.poll() is None for process in started):
        time.sleep(0.001)
    gate.touch()
    for process in started:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert version(old) == [(VERSION,)]


def test_who_comes_second_finds_it_done(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = opening._look(make_url(f"sqlite:///{old}"))
    open_storage(f"sqlite:///{old}", create=True).engine.dispose()
    monkeypatch.setattr(opening, "_look", lambda url: late)
    with open_storage(f"sqlite:///{old}", create=True) as storage:
        assert storage.layout == VERSION
        assert_read(storage)


def test_what_a_newer_version_upgraded_meanwhile_is_refused_as_it_is(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = opening._look(make_url(f"sqlite:///{old}"))
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE decaybench_version SET version = 7")
    monkeypatch.setattr(opening, "_look", lambda url: late)
    with pytest.raises(UserError, match="written by a newer decaybench"):
        open_storage(f"sqlite:///{old}", create=True)
    assert version(old) == [(7,)]
    with closing(sqlite3.connect(old)) as connection:
        assert "pruned" not in [row[1] for row in connection.execute("PRAGMA table_info(runs)")]


@pytest.fixture
def old_server(postgres_url: str) -> Iterator[Engine]:
    """A PostgreSQL database as layout 1 left it, by its owner's engine."""
    with open_storage(postgres_url, create=True) as storage, storage.write() as connection:
        for name in LACKS:
            connection.execute(text(f"ALTER TABLE runs DROP COLUMN {name}"))
        connection.execute(text("UPDATE decaybench_version SET version = 1"))
        values = "'sweep', 'old', '', '{}', '', 'running', now(), '{}'"
        connection.execute(text(f"INSERT INTO sweeps VALUES ({values})"))
        columns = "id, sweep_id, phase, strategy, repeat, slot, length, seed"
        row = "'a', 'sweep', 'search', 'constant', 0, 0, 1.0, 7"
        connection.execute(text(f"INSERT INTO runs ({columns}) VALUES ({row})"))
    owner = create_engine(storage.url)
    yield owner
    owner.dispose()


def url_of(engine: Engine, **changes: str) -> str:
    return engine.url.set(**changes).render_as_string(hide_password=False)


def test_a_server_is_read_as_it_is_and_upgraded_by_a_writer(old_server: Engine) -> None:
    for create in (False, True):
        with open_storage(url_of(old_server), create=create) as storage:
            assert_read(storage)
        with old_server.connect() as connection:
            assert connection.execute(select(Version.version)).all() == [(VERSION if create else 1,)]


def test_who_does_not_own_a_servers_tables_is_told_so(old_server: Engine) -> None:
    with old_server.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS decaybench_guest"))
        connection.execute(text("CREATE ROLE decaybench_guest LOGIN PASSWORD 'secret'"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO decaybench_guest"))
        connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA public TO decaybench_guest"))
    guest = url_of(old_server, username="decaybench_guest", password="secret")
    with open_storage(guest, create=False) as storage:
        assert_read(storage)
    with pytest.raises(UserError, match="must be owner of table runs") as caught:
        open_storage(guest, create=True)
    assert "secret" not in str(caught.value)
    with old_server.begin() as connection:
        connection.execute(text("DROP OWNED BY decaybench_guest"))
        connection.execute(text("DROP ROLE decaybench_guest"))


def test_a_busy_servers_readers_do_not_wait_long(old_server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_POSTGRES_WAIT_S", 0.1)
    with old_server.begin() as reading:
        reading.execute(text("SELECT * FROM runs"))
        with pytest.raises(UserError, match="lock timeout"):
            open_storage(url_of(old_server), create=True)
    with old_server.connect() as connection:
        assert connection.execute(select(Version.version)).all() == [(1,)]
