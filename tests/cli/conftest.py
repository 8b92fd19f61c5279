"""The command line where something is wrong."""

import hashlib
from pathlib import Path

import pytest

from decaybench.cli import main


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
    }


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run the command line in an empty folder; returns the one line that it refuses with."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # a test fetches nothing
    for name in ("DECAYBENCH_STORAGE", "DECAYBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*arguments: str) -> str:
        before = snapshot(work)
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = capsys.readouterr()
        assert end.value.code == 2, err
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert "Traceback" not in err
        assert snapshot(work) == before
        return err

    return run
