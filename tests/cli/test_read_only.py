"""A database where nothing can be written is read, without any change, by every command that only reads."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from decaybench.cli import main

READ = [["status"], ["status", "small"], ["report", "small", "--out", "r"], ["verify", "r"], ["export", "small"]]


def a_file(place: Path) -> None:
    (place / "d.db").chmod(0o444)


def a_folder(place: Path) -> None:
    place.chmod(0o555)


def a_mount(place: Path) -> None:
    """Also one whose database was being written by a process that was killed: the last row is in the log only."""
    change = "import os, sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute(sys.argv[2])\nos._exit(0)"
    row = "UPDATE sweeps SET question = 'In the log?'"
    subprocess.run([sys.executable, "-c", change, place / "d.db", row], check=True)
    assert (place / "d.db-wal").stat().st_size
    (place / "d.db-shm").unlink()
    for how in (["--bind", place, place], ["-o", "remount,bind,ro", place]):
        if os.geteuid() or subprocess.run(["mount", *how]).returncode:
            pytest.skip("a file system can be mounted by root only")


@pytest.mark.parametrize("protect", [a_file, a_folder, a_mount])
def test_every_command_that_reads(tmp_path, monkeypatch, capsys, small_ran, undrawn, protect):
    (place := tmp_path / "place").mkdir()
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    shutil.copyfile(small_ran.folder / "studies" / "decaybench.db", place / "d.db")
    shutil.copyfile(small_ran.folder / "small.toml", "small.toml")
    try:
        protect(place)
        before = {path.name: path.read_bytes() for path in place.iterdir()}
        for command in READ:
            with pytest.raises(SystemExit) as end:
                main([*command, "--storage", f"sqlite:///{place}/d.db"])
            out, err = capsys.readouterr()
            assert (end.value.code, err) == (0, "")
            assert ("In the log?" in out) == (protect is a_mount and command == ["status"])
        with pytest.raises(SystemExit) as end:
            main(["run", "small.toml", "--storage", f"sqlite:///{place}/d.db"])
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (2, "") and err.count("\n") == 1 and "is read-only" in err
        assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    finally:
        if protect is a_mount:
            subprocess.run(["umount", place], check=False)  # unless it was skipped
        place.chmod(0o755)
