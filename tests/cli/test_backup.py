"""``decaybench backup`` and ``upgrade``: complete copies, and older databases that become new ones."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from decaybench.cli import main
from decaybench.store import VERSION, open_storage
from old_layouts import content, newest, schema, version, written
from small_sweep import results


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str, code: int = 0, url: str = "sqlite:///d.db") -> str:
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--storage", url])
        out, err = capsys.readouterr()
        assert end.value.code == code and (err, out)[code == 2] == ""
        return out or err

    return called


def test_a_backup_has_what_is_in_the_log_only_and_is_made_beside_a_writer(call, tmp_path):
    path = newest(tmp_path / "d.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("UPDATE sweeps SET question = 'In the log?'")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE sweeps SET question = 'Not yet'")
        assert call("backup", "copy.db") == f"{path}: backed up in copy.db (1 sweep)\n"
        writer.execute("ROLLBACK")
    assert content(tmp_path / "copy.db") == content(path)
    assert content(path)["sweeps"][0]["question"] == "In the log?"
    assert results(tmp_path / "copy.db") == results(path)
    assert "In the log?" in call("status", url="sqlite:///copy.db")
    assert not list(tmp_path.glob("*.new-*"))


def test_a_backup_overwrites_nothing(call, tmp_path):
    newest(tmp_path / "d.db")
    (tmp_path / "kept").write_text("x")
    assert "kept exists, and a backup overwrites nothing" in call("backup", "kept", code=2)
    assert (tmp_path / "kept").read_text() == "x"
    assert "cannot be written: No such file or directory" in call("backup", "no/such.db", code=2)
    assert "no database at" in call("backup", "b.db", code=2, url="sqlite:///none.db")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d.db", "kept"]


def test_a_backup_without_space_leaves_nothing(call, tmp_path):
    path = newest(tmp_path / "d.db")
    (disk := tmp_path / "disk").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk]).returncode:
        pytest.skip("a file system can be mounted by root only")
    try:
        assert "database or disk is full" in call("backup", "disk/b.db", code=2)
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", disk], check=True)
    assert path.exists()


def test_a_server_has_a_program_for_it(call, postgres_url):
    assert call("upgrade", code=2, url=postgres_url).startswith("error: no sweeps in postgresql://")
    open_storage(postgres_url, create=True).engine.dispose()
    assert "back it up with pg_dump" in call("backup", "b.db", code=2, url=postgres_url)
    assert "nothing to do" in call("upgrade", url=postgres_url)


@pytest.mark.parametrize("layout", range(1, VERSION))
def test_an_older_database_is_upgraded_after_a_backup(call, tmp_path, layout):
    path, beside = written(tmp_path / "d.db", layout), tmp_path / f"d.layout-{layout}.db"
    before, was = content(path), schema(path)
    said = call("upgrade")
    assert said == f"{path}: upgraded from layout {layout} to {VERSION}; as it was: {beside}\n"
    assert (version(path), content(path)) == ([(VERSION,)], before)
    assert (version(beside), content(beside), schema(beside)) == ([(layout,)], before, was)
    assert call("upgrade") == f"{path}: nothing to do, it has layout {VERSION}\n"


def test_an_upgrade_that_cannot_be_backed_up_or_written_changes_nothing(call, tmp_path):
    path = written(tmp_path / "d.db", 2)
    before, beside = path.read_bytes(), tmp_path / "d.layout-2.db"
    beside.write_text("x")
    assert f"{beside} exists" in call("upgrade", code=2)
    beside.unlink()
    path.chmod(0o444)
    assert "is read-only" in call("upgrade", code=2)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["d.db"]


def test_a_newer_database_is_refused(call, tmp_path):
    path = newest(tmp_path / "d.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE decaybench_version SET version = version + 1")
    before = Path(path).read_bytes()
    for command in (["upgrade"], ["backup", "b.db"]):
        assert "newer decaybench" in call(*command, code=2)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["d.db"]
