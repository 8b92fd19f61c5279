"""Damaged files, and files with other files beside them: refused in a line and left as they are, or used and intact."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from databases import state
from decaybench.cli import main
from decaybench.errors import UserError
from decaybench.search import StudyMirror
from decaybench.store import configure, open_storage, update_sweep
from old_layouts import newest

PAGE = 4096
SLOW = 6
"""A damaged index of a log, at which SQLite tries again for ten seconds."""


def header(path: Path, draw: random.Random) -> None:
    """Bytes of the first hundred are others."""
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 1, 4, 40])):
        content[draw.randrange(100)] = draw.randrange(256)
    path.write_bytes(content)


def cut(path: Path, draw: random.Random) -> None:
    size = path.stat().st_size
    os.truncate(path, draw.choice([draw.randrange(size), PAGE * draw.randrange(size // PAGE), draw.randrange(600)]))


def flip(path: Path, draw: random.Random) -> None:
    """Bits of one page are others."""
    content = bytearray(path.read_bytes())
    page = draw.randrange(len(content) // PAGE) * PAGE
    reach = draw.choice([16, 16, PAGE])  # what a page begins with says where all else in it is
    for _ in range(draw.choice([1, 8, 100])):
        content[page + draw.randrange(reach)] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def blank(path: Path, draw: random.Random) -> None:
    """A page is empty, or has what belongs to another."""
    content = bytearray(path.read_bytes())
    count = len(content) // PAGE
    to, source = draw.randrange(count) * PAGE, draw.randrange(count) * PAGE
    content[to : to + PAGE] = bytes(PAGE) if draw.random() < 0.5 else content[source : source + PAGE]
    path.write_bytes(content)


def longer(path: Path, draw: random.Random) -> None:
    with path.open("ab") as file:
        file.write(draw.randbytes(draw.choice([1, 700, PAGE, 3 * PAGE])))


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]: connection.execute(statement)
os._exit(0)
"""


def killed(path: Path, *statements: str) -> None:
    subprocess.run([sys.executable, "-c", KILLED, path, *statements], check=True)


def log(path: Path, draw: random.Random) -> None:
    """A process was killed, and its log is cut, changed, without its index, or that of another file."""
    change = "UPDATE sweeps SET question = hex(randomblob(3000))"
    killed(path, *[change] * draw.randrange(1, 5))
    wal, shm = Path(f"{path}-wal"), Path(f"{path}-shm")
    content = bytearray(wal.read_bytes())
    match draw.randrange(5):
        case 0:
            os.truncate(wal, draw.randrange(len(content)))
        case 1:
            content[draw.choice([draw.randrange(32), draw.randrange(len(content))])] ^= 1 << draw.randrange(8)
            wal.write_bytes(content)
        case 2:
            shm.write_bytes(draw.choice([b"", draw.randbytes(32768), shm.read_bytes()[: draw.randrange(32768)]]))
        case 3:
            wal.write_bytes(draw.randbytes(draw.choice([1, 32, 5000])))
        case 4:
            flip(path, draw)
    if draw.random() < 0.5:
        shm.unlink()


def journal(path: Path, draw: random.Random) -> None:
    """A process without a log was killed, and its journal is cut or changed, or something else has its name."""
    beside = Path(f"{path}-journal")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    change = "UPDATE runs SET seed = seed + 1", "UPDATE epochs SET seconds = seconds + 1"
    killed(path, "PRAGMA cache_size = 2", "BEGIN", *change * 2)
    content = bytearray(beside.read_bytes() if beside.exists() else b"")
    match draw.randrange(3 if len(content) > 600 else 1):
        case 0:
            beside.write_bytes(draw.choice([b"", b"a diary", draw.randbytes(9000)]))
        case 1:
            os.truncate(beside, draw.randrange(len(content)))
        case 2:
            content[draw.choice([draw.randrange(28), draw.randrange(len(content))])] ^= 1 << draw.randrange(8)
            beside.write_bytes(content)


DAMAGES: list[Callable[[Path, random.Random], None]] = [header, cut, flip, flip, blank, longer, log, journal]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return newest(tmp_path_factory.mktemp("whole") / "d.db")


def seeds() -> list[object]:
    """A few of each kind, and many."""
    few = [*range(2 * len(DAMAGES))]
    few.remove(SLOW)
    return [*few, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(208) if seed not in few)]


def lines(capsys: pytest.CaptureFixture[str], command: list[str], url: str) -> tuple[int, str]:
    """The exit code of a command, and what it prints to stderr."""
    with pytest.raises(SystemExit) as end:
        main([*command, "--storage", url])
    code = end.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().err


def write(url: str) -> None:
    """What a run writes before it trains anything."""
    with open_storage(url, create=True) as storage:
        update_sweep(storage, "old", status="running")
        with StudyMirror(storage, "old", direction="maximize", spaces={}, configure=configure) as mirror:
            mirror.reconcile({}, lambda slot: {})


@pytest.mark.parametrize("seed", seeds())
def test_a_damaged_file_is_refused_or_intact(
    tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    draw, path = random.Random(seed), tmp_path / "d.db"
    shutil.copyfile(whole, path)
    DAMAGES[seed % len(DAMAGES)](path, draw)
    url = f"sqlite:///{path}"
    before = state(url)
    for command in (["status"], ["status", "old", "--json"], ["export", "old"]):
        code, err = lines(capsys, command, url)
        assert code in (0, 2)
        if code == 2:
            assert err.startswith("error: ") and err.count("\n") == 1
            assert state(url) == before
    readable, before, refused = code == 0, state(url), None
    try:
        write(url)
    except UserError as error:
        refused = str(error)
    if refused is not None and "the Optuna study old is damaged" not in refused:
        assert state(url) == before
        return
    # What only Optuna reads is read after the sweep's status was written.
    assert readable
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_journal_that_would_make_the_file_eight_terabytes_long(tmp_path: Path, whole: Path) -> None:
    path, beside = tmp_path / "d.db", tmp_path / "d.db-journal"
    shutil.copyfile(whole, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    killed(path, "PRAGMA cache_size = 2", "BEGIN", *["UPDATE runs SET seed = seed + 1"] * 2)
    content = bytearray(beside.read_bytes())
    content[16:20] = (2**31 - 1).to_bytes(4)  # the number of pages before the transaction
    beside.write_bytes(content)
    before = state(f"sqlite:///{path}")
    for create in (False, True):
        with pytest.raises(UserError, match=r"its journal would make it 8,\d{3},\d{3},\d{3},\d{3} bytes long"):
            open_storage(f"sqlite:///{path}", create=create)
    assert state(f"sqlite:///{path}") == before
