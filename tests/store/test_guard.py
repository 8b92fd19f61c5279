"""What must not be written to is refused, byte for byte unchanged and with nothing left beside it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest
from sqlalchemy.exc import OperationalError

import decaybench
from decaybench.errors import UserError
from decaybench.store import VERSION, open_storage
from decaybench.store import open as opening
from decaybench.store import storage as connections

optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    def state() -> dict[str, bytes | None]:
        return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}

    before = state()
    yield
    assert state() == before


def refusal(path: Path, create: bool = True) -> str:
    with untouched(path.parent), pytest.raises(UserError) as caught:
        open_storage(f"sqlite:///{path}", create=create)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def sql(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def killed(path: Path, *statements: str) -> Path:
    """What a process leaves that is killed after ``statements``, without a close."""
    code = (
        "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for s in sys.argv[2:]: c.execute(s)\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), *statements], check=True)
    return path


def optuna_file(path: Path) -> Path:
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    optuna.create_study(storage=storage, study_name="theirs")
    storage.remove_session()
    storage.engine.dispose()
    return path


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours.db"
    open_storage(f"sqlite:///{path}", create=True).engine.dispose()
    assert os.listdir(tmp_path) == ["ours.db"]
    return path


@pytest.mark.parametrize("create", [True, False])
class TestRefused:
    def test_folder(self, tmp_path: Path, create: bool) -> None:
        (tmp_path / "x.db").mkdir()
        assert "is a folder" in refusal(tmp_path / "x.db", create)

    @pytest.mark.parametrize("content", [b"name,value\n", b"SQLite format 2\0", b"x", b"\0" * 4096])
    def test_text(self, tmp_path: Path, content: bytes, create: bool) -> None:
        (tmp_path / "x.db").write_bytes(content)
        assert "is not a SQLite database" in refusal(tmp_path / "x.db", create)

    def test_header_only(self, tmp_path: Path, create: bool) -> None:
        (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + b"garbage")
        assert "is not a SQLite database" in refusal(tmp_path / "x.db", create)

    def test_truncated(self, ours: Path, create: bool) -> None:
        os.truncate(ours, 3 * 4096)
        assert "is damaged" in refusal(ours, create)

    def test_overwritten_page(self, ours: Path, create: bool) -> None:
        with ours.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096)
        assert "is damaged" in refusal(ours, create)

    @pytest.mark.parametrize("mode", ["delete", "wal"])
    def test_foreign(self, tmp_path: Path, mode: str, create: bool) -> None:
        path = sql(tmp_path / "x.db", f"PRAGMA journal_mode = {mode}", "CREATE TABLE photos (id)")
        assert "another program's database (tables: photos)" in refusal(path, create)

    def test_foreign_killed_in_wal_mode(self, tmp_path: Path, create: bool) -> None:
        path = killed(tmp_path / "x.db", "PRAGMA journal_mode = wal", "CREATE TABLE photos (id)")
        assert (tmp_path / "x.db-wal").stat().st_size > 0
        assert "another program's database (tables: photos)" in refusal(path, create)

    def test_foreign_wal_without_index(self, tmp_path: Path, create: bool) -> None:
        path = killed(tmp_path / "x.db", "PRAGMA journal_mode = wal", "CREATE TABLE photos (id)")
        (tmp_path / "x.db-shm").unlink()
        assert "another program's database (tables: photos)" in refusal(path, create)

    def test_foreign_with_a_journal_to_roll_back(self, tmp_path: Path, create: bool) -> None:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000)"
        fill = numbers + " INSERT INTO {} SELECT i, hex(i) FROM n"
        path = sql(tmp_path / "x.db", "CREATE TABLE photos (id, name)", fill.format("photos"))
        change = ("PRAGMA cache_size = 2", "BEGIN", "CREATE TABLE half (id, name)", fill.format("half"))
        killed(path, *change)
        assert (tmp_path / "x.db-journal").stat().st_size > 0
        assert "another program's database (tables: photos)" in refusal(path, create)

    def test_a_table_with_our_name(self, tmp_path: Path, create: bool) -> None:
        path = sql(optuna_file(tmp_path / "x.db"), "CREATE TABLE runs (id)")
        assert "a table 'runs' that is not decaybench's" in refusal(path, create)

    def test_newer(self, ours: Path, create: bool) -> None:
        sql(ours, "UPDATE decaybench_version SET version = version + 1")
        assert f"a newer decaybench (layout {VERSION + 1}, this one knows {VERSION})" in refusal(ours, create)

    def test_newer_optuna(self, tmp_path: Path, create: bool) -> None:
        path = sql(optuna_file(tmp_path / "x.db"), "UPDATE alembic_version SET version_num = 'v99.1.0.a'")
        assert "a newer Optuna (tables v99.1.0.a" in refusal(path, create)

    def test_lost_table(self, ours: Path, create: bool) -> None:
        sql(ours, "DROP TABLE traces")
        assert "lacks traces" in refusal(ours, create)

    @pytest.mark.parametrize(
        "change", ["DELETE FROM decaybench_version", "UPDATE decaybench_version SET version = 'x'"]
    )
    def test_lost_version(self, tmp_path: Path, change: str, create: bool) -> None:
        tables = [f"CREATE TABLE {name} (id)" for name in ("sweeps", "runs", "epochs", "traces")]
        version = ["CREATE TABLE decaybench_version (version)", "INSERT INTO decaybench_version VALUES (1)"]
        path = sql(tmp_path / "x.db", *tables, *version, change)
        assert "lacks its layout's version" in refusal(path, create)

    def test_no_regular_file(self, tmp_path: Path, create: bool) -> None:
        os.mkfifo(tmp_path / "x.db")
        assert "not a regular file" in refusal(tmp_path / "x.db", create)


def test_read_only_file(ours: Path) -> None:
    ours.chmod(0o444)
    assert "is read-only" in refusal(ours)


def test_read_only_folder(ours: Path) -> None:
    ours.parent.chmod(0o555)
    try:
        assert "is read-only" in refusal(ours)
    finally:
        ours.parent.chmod(0o755)


def test_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
    monkeypatch.setattr(opening, "BUSY_TIMEOUT", 0.2)
    path = optuna_file(tmp_path / "x.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=r"locked by another process for 0\.2 s"):
            open_storage(f"sqlite:///{path}", create=True)
    open_storage(f"sqlite:///{path}", create=True).engine.dispose()


def test_locked_while_open(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
    storage = open_storage(f"sqlite:///{ours}", create=False)
    with closing(sqlite3.connect(ours, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with storage.read():
            pass  # readers are not held up
        with pytest.raises(UserError, match=r"locked by another process for 0\.2 s"), storage.write():
            pass
    storage.engine.dispose()


SMALL_FILES = """
import os, resource, sys
from decaybench.errors import UserError
from decaybench.store import open_storage
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))  # the shared memory of a log takes 32 KiB, and cannot be had
for create in sys.argv[2:]:
    try:
        open_storage(sys.argv[1], create=create == "create")
    except UserError as error:
        print(error)
"""


def test_a_disk_without_shared_memory_is_left_as_it_is(tmp_path: Path) -> None:
    ours = tmp_path / "ours" / "x.db"
    open_storage(f"sqlite:///{ours}", create=True).engine.dispose()
    (tmp_path / "theirs").mkdir()
    optuna_file(tmp_path / "theirs" / "x.db")
    (tmp_path / "empty.db").touch()
    said = []
    with untouched(tmp_path):
        for path, *how in (
            (tmp_path / "new" / "folder" / "x.db", "create"),
            (tmp_path / "empty.db", "create"),
            (tmp_path / "theirs" / "x.db", "create"),
            (ours, "create", "read"),
        ):
            command = [sys.executable, "-c", SMALL_FILES, f"sqlite:///{path}", *how]
            env = os.environ | {"PYTHONPATH": str(Path(decaybench.__file__).parents[1])}
            lines = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines()
            assert len(lines) == len(how)
            said += [(line.partition(":")[0] == str(path), line) for line in lines]
    for is_named, line in said:
        assert is_named and "cannot hold a write-ahead log that processes share (SQLITE_IOERR_SHMSIZE)" in line
        assert line.endswith("; use a local disk")


@pytest.mark.parametrize(
    "name", ["IOERR_SHMOPEN", "IOERR_SHMSIZE", "IOERR_SHMLOCK", "IOERR_SHMMAP", "IOERR_LOCK", "PROTOCOL"]
)
def test_what_sqlite_says_of_such_a_disk(ours: Path, name: str) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, f"SQLITE_{name}"), f"SQLITE_{name}"
    line = rf"processes share \(SQLITE_{name}\); use a local disk"
    storage = open_storage(f"sqlite:///{ours}", create=False)
    with pytest.raises(UserError, match=line), storage.plain_errors():
        raise OperationalError("SELECT 1", {}, error)
    storage.engine.dispose()


def test_missing_is_not_made_by_reading(tmp_path: Path) -> None:
    assert "no database at" in refusal(tmp_path / "x.db", create=False)
    assert "run a sweep first" in refusal(tmp_path / "a" / "b" / "x.db", create=False)


def test_read_only_folder_is_refused_before_folders_are_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        assert "is read-only" in refusal(tmp_path / "a" / "b" / "x.db")
    finally:
        tmp_path.chmod(0o755)


def test_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with untouched(tmp_path), pytest.raises(UserError, match="file is not a folder"):
        open_storage(f"sqlite:///{tmp_path}/file/x.db", create=True)


@pytest.mark.parametrize("prepare", [lambda path: path.touch(), optuna_file])
def test_empty_and_optunas_files_hold_no_sweeps(tmp_path: Path, prepare: object) -> None:
    path = tmp_path / "x.db"
    prepare(path)  # type: ignore[operator]
    assert "no sweeps in" in refusal(path, create=False)
    open_storage(f"sqlite:///{path}", create=True).engine.dispose()
    open_storage(f"sqlite:///{path}", create=False).engine.dispose()


def test_our_file_is_opened_again_after_a_kill(ours: Path) -> None:
    killed(ours, "PRAGMA wal_autocheckpoint = 0", "CREATE INDEX extra ON runs (seed)")
    storage = open_storage(f"sqlite:///{ours}", create=False)
    with storage.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'extra'").all()
    assert names == [("extra",)]
    storage.engine.dispose()


def test_looking_leaves_no_trace_on_an_accepted_file(ours: Path) -> None:
    with untouched(ours.parent):
        storage = open_storage(f"sqlite:///{ours}", create=False)
        storage.engine.dispose()
