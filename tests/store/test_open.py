"""URLs, pragmas, and Optuna's tables beside ours."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from sqlalchemy import create_engine, insert, make_url, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

import decaybench
from decaybench.errors import UserError
from decaybench.store import (
    VERSION,
    NewRun,
    Storage,
    configure,
    create_sweep,
    find_storage,
    open_storage,
    runs,
    sweep_names,
)
from decaybench.store.schema import METADATA, RUNS, TABLES, VERSIONS

optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_opening_a_database_again_keeps_the_locks_of_the_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    with open_storage(url, create=True) as first, first.engine.connect() as connection:
        connection.execute(select(VERSIONS.c.version)).all()
        connection.commit()
        with first.write() as writing:
            writing.execute(text("CREATE TABLE more (x)"))
        open_storage(url, create=False).engine.dispose()
        # The last process to close a database deletes its log; another one must see that it is not the last.
        come_and_go = "import sys; from decaybench.store import *; s = open_storage(sys.argv[1], create=False)"
        come_and_go += "; sweep_names(s); s.engine.dispose()"
        subprocess.run([sys.executable, "-c", come_and_go, url], check=True)
        assert (tmp_path / "x.db-wal").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "is not a database URL"),
        ("studies/x.db", "write sqlite:///studies/x.db"),
        ("postgresql//me:secret@host/db", "is not a database URL"),
        ("postgresql://me:secret@host:port/db", "is not a database URL"),
        ("postgres://me:secret@host/db", "postgres://... is not supported"),
        ("mysql://me:secret@host/db", "mysql://... is not supported"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite://... is not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("sqlite:///file:x.db?mode=ro&uri=true", "read-only by its URL"),
        ("sqlite:///x.db?mode=ro", "read-only by its URL"),
        ("sqlite:///file:x.db?immutable=1&uri=true", "read-only by its URL"),
        ("sqlite:///x.db?timeout=3", "options in its URL"),
        ("sqlite:///x.db?cache=shared&nolock", "options in its URL"),
        ("sqlite:///x%00.db", "null"),
        ("sqlite:///q?m/x.db", "storage q is cut off by a ? in its URL; write a ? in PATH as %3F"),
        ("sqlite:///a b/q?/x.db", "storage a b/q is cut off by a ?"),
        ("sqlite:///q?m=1/x.db", "options in its URL; use plain sqlite:///PATH, a ? in PATH as %3F"),
        ("sqlite:///x.db?", "cut off by a ?"),
        ("sqlite:///x.db??", "cut off by a ?"),
        ("sqlite:///?x.db", "in memory"),
        ("sqlite:///folder/", "folder/ is a folder"),
        ("sqlite://x.db", "names a host"),
        ("sqlite://~/x.db", "names a host"),
        ("sqlite://me:secret@host/x.db", "names a host"),
        ("postgresql//host/db?password=secret", "is not a database URL"),
        ("host=localhost password=secret", "is not a database URL"),
        ("~/x.db", "write sqlite:///~/x.db"),
    ],
)
def test_bad_urls(url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        open_storage(url, create=True)
    message = str(caught.value)
    assert said in message and "\n" not in message and "secret" not in message
    assert os.listdir(tmp_path) == []


def test_missing_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="storage postgresql://localhost/db needs psycopg; pip install") as caught:
        open_storage("postgresql://me:secret@localhost/db", create=True)
    assert "secret" not in str(caught.value)


def test_unreachable_server() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(UserError) as caught:
        open_storage("postgresql://me:secret@127.0.0.1:1/db", create=True)
    message = str(caught.value)
    assert "127.0.0.1:1/db: " in message and "secret" not in message and "\n" not in message


def test_repr_hides_the_password() -> None:
    url = make_url("postgresql://me:secret@host:5/db?password=other")
    storage = Storage(SimpleNamespace(url=url), str(url))  # type: ignore[arg-type]
    assert repr(storage) == "Storage(postgresql://host:5/db)"


def test_relative_path_is_made_absolute_and_folders_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = open_storage("sqlite:///a/b/x.db", create=True)
    assert storage.url == f"sqlite:///{tmp_path}/a/b/x.db"
    assert storage.where == f"{tmp_path}/a/b/x.db" and repr(storage) == f"Storage({storage.where})"
    monkeypatch.chdir("/")
    assert sweep_names(storage) == []
    storage.engine.dispose()
    assert os.listdir(tmp_path / "a" / "b") == ["x.db"]


def test_finding_makes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/x.db"
    assert find_storage(url) is None and os.listdir(tmp_path) == []
    open_storage(url, create=True).engine.dispose()
    found = find_storage(url)
    assert found is not None and sweep_names(found) == []
    found.engine.dispose()
    (tmp_path / "text").write_text("x")
    with pytest.raises(UserError, match="is not a SQLite database"):
        find_storage(f"sqlite:///{tmp_path}/text")


def test_odd_file_name(tmp_path: Path) -> None:
    path = tmp_path / "50% sure? #1 ü.db"
    url = create_engine("sqlite://").url.set(database=str(path)).render_as_string()
    first = open_storage(url, create=True)
    first.engine.dispose()
    assert os.listdir(tmp_path) == [path.name]
    again = open_storage(first.url, create=False)
    assert sweep_names(again) == []
    again.engine.dispose()


@pytest.mark.parametrize(
    ("written", "name"),
    [("q%3Fm.db", "q?m.db"), ("a#b.db", "a#b.db"), ("a%23b.db", "a#b.db"), ("a b.db", "a b.db"), ("a%20b+c.db", "a b+c.db"),
     ("50%.db", "50%.db"), ("{x}.db", "{x}.db"), ("a&b=c.db", "a&b=c.db"), ("me:you@here.db", "me:you@here.db"), ("it's.db", "it's.db")],
)  # fmt: skip
def test_what_a_path_may_hold(tmp_path: Path, written: str, name: str) -> None:
    with open_storage(f"sqlite:///{tmp_path}/{written}", create=True) as storage:
        theirs = optuna.storages.RDBStorage(storage.url)  # which takes the URL apart in its own way
        theirs.remove_session()
        theirs.engine.dispose()
    assert os.listdir(tmp_path) == [name]


def test_no_table_needs_sqlite() -> None:
    for table in METADATA.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def pragmas(connection: object) -> dict[str, object]:
    run = connection.exec_driver_sql  # type: ignore[attr-defined]
    names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
    return {name: run(f"PRAGMA {name}").scalar_one() for name in names}


def test_both_engines_have_the_pragmas_and_the_tables_coexist(tmp_path: Path, monkeypatch, users_pragmas) -> None:
    monkeypatch.setattr("decaybench.store.storage.set_pragmas", users_pragmas)
    storage = open_storage(f"sqlite:///{tmp_path}/x.db", create=True)
    theirs = optuna.storages.RDBStorage(storage.url)
    configure(theirs.engine)
    wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 60_000, "foreign_keys": 1}
    for engine in (storage.engine, theirs.engine):
        with engine.connect() as first, engine.connect() as second:
            assert pragmas(first) == pragmas(second) == wanted

    study = optuna.create_study(storage=theirs, study_name="quick")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    plan = [NewRun(f"r{n}", "search", "constant", 0, n, 1.0, n) for n in range(3)]
    create_sweep(storage, name="quick", question="", spec={}, spec_hash="", provenance={}, runs=plan)
    optuna.delete_study(study_name="quick", storage=theirs)
    assert len(runs(storage, "quick")) == 3
    assert optuna.get_all_study_names(theirs) == []
    with storage.read() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).all() == [("ok",)]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(select(VERSIONS.c.version)).all() == [(VERSION,)]
        found = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    assert found >= TABLES | {"studies", "trials", "alembic_version"}
    theirs.remove_session()
    theirs.engine.dispose()
    storage.engine.dispose()
    assert os.listdir(tmp_path) == ["x.db"]


def test_a_failed_transaction_leaves_nothing(sweep: Storage) -> None:
    def change() -> None:
        with sweep.write() as connection:
            connection.execute(text("UPDATE sweeps SET question = 'changed'"))
            connection.execute(insert(RUNS), {"id": "x", "sweep_id": "nobody", **PLACE})

    with pytest.raises(IntegrityError):
        change()
    with sweep.read() as connection:
        assert connection.execute(text("SELECT question FROM sweeps")).scalar_one() == "Why?"


PLACE = {"phase": "search", "strategy": "s", "repeat": 0, "slot": 0, "length": 1.0, "seed": 1}


def test_reads_of_one_transaction_agree(sweep: Storage) -> None:
    count = text("SELECT count(*) FROM runs")
    with sweep.read() as reader:
        before = reader.execute(count).scalar_one()
        with sweep.write() as writer:
            writer.execute(text("DELETE FROM runs"))
        assert reader.execute(count).scalar_one() == before
    with sweep.read() as reader:
        assert reader.execute(count).scalar_one() == 0


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    root = str(Path(decaybench.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        text=True,
    )


WRITER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from decaybench.store import *
url, me, gate = sys.argv[1:]
Path(gate + me).touch()
while not Path(gate).exists(): time.sleep(0.0005)
storage = open_storage(url, create=True)
plan = [NewRun(f"{me}-{n}", "search", "s", 0, n, 1.0, n) for n in range(5)]
create_sweep(storage, name=me, question="", spec={}, spec_hash="", provenance={}, runs=plan)
for epoch in range(1, 21):
    write_epochs(storage, [EpochRow(run.id, epoch, 1.0, 1.0, 0.5, 0.1, 0.0) for run in plan])
finish_runs(storage, [RunResult(run.id, "finished", 20, validation_loss=1.0, validation_accuracy=0.5) for run in plan])
"""


def test_processes_open_a_new_file_and_write_at_once(tmp_path: Path) -> None:
    url, gate = f"sqlite:///{tmp_path}/new/x.db", tmp_path / "gate"
    writers = [python(WRITER, url, f"sweep{n}", str(gate)) for n in range(3)]
    while len(list(tmp_path.glob("gate?*"))) < 3 and all(writer.poll() is None for writer in writers):
        time.sleep(0.001)
    gate.touch()
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said
    storage = open_storage(url, create=False)
    for n in range(3):
        assert [run.epochs_done for run in runs(storage, f"sweep{n}")] == [20] * 5
    with storage.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM epochs")).scalar_one() == 300
        assert connection.execute(text("SELECT version FROM decaybench_version")).all() == [(VERSION,)]
    storage.engine.dispose()


KILLED = """
import os, sys
from decaybench.store import *
storage = open_storage(sys.argv[1], create=True)
with storage.write() as connection:
    connection.exec_driver_sql("INSERT INTO decaybench_version VALUES (7)")
    os._exit(9)
"""


def test_a_killed_transaction_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    process = python(KILLED, url)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 9, said
    storage = open_storage(url, create=False)
    storage.engine.dispose()
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT version FROM decaybench_version").fetchall() == [(VERSION,)]
