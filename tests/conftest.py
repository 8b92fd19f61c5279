"""Fixtures for tests that use decaybench as people do: from the command line, in a folder of their own."""

import gc
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from small_sweep import SETTLED, SMALL, Ran

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole sweeps are trained first, so that no process is still at one when all others have ended."""
    items.sort(key=lambda item: "runner" not in item.path.parts)
    if needing := [item for item in items if item.get_closest_marker("cuda")]:
        import torch  # here, since pytest often runs without any of these

        if not torch.cuda.is_available():
            for item in needing:
                item.add_marker(pytest.mark.skip("needs a CUDA device"))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported, and many of its rounds: they took a sixth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 10)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all of pytest's processes: the first one that asks for it fills it, and others wait.

    A test that changes something in the folder takes a copy.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder, filled = shared / f"once-{name}", shared / f"once-{name}.filled"
        with FileLock(shared / f"once-{name}.lock"):
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder

    return make


@pytest.fixture(scope="session", autouse=True)
def cache_home(once) -> Iterator[None]:
    """A cache folder for all tests, in which the number of models to train at once is measured once rather than often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(once("cache", lambda _: None)))
        yield


@pytest.fixture(scope="session", autouse=True)
def users_pragmas() -> Iterator[Callable[..., None] | None]:
    """SQLite waits for the disk at every commit, which helps only in a power cut; here, where processes die, it does not.

    The value is what sets the pragmas for users.
    """
    if find_spec("alembic") is None:  # in tests/frameworks
        yield None
        return
    from decaybench.store import storage as connections

    whole = connections.set_pragmas

    def hasty(connection: sqlite3.Connection, record: object) -> None:
        whole(connection, record)
        connection.execute("PRAGMA synchronous = OFF").close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "set_pragmas", hasty)
        yield whole


@pytest.fixture(scope="session", autouse=True)
def optunas_revisions() -> Iterator[None]:
    """For every new database Alembic loads the files of Optuna's revisions several times; here, once."""
    if find_spec("alembic") is None:  # in tests/frameworks
        yield
        return
    from alembic.util import pyfiles

    load, loaded = pyfiles.load_module_py, cache(pyfiles.load_module_py)

    def once_if_a_revision(name: str, path: Path) -> object:
        return (loaded if path.parent.name == "versions" else load)(name, path)  # env.py migrates while it is loaded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyfiles, "load_module_py", once_if_a_revision)
        yield


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def small_ran(once) -> Ran:
    """``decaybench run small.toml``, for one epoch, with figures as of `undrawn`.

    All tests share it: who changes something takes a copy.
    """
    return _ran(once, "small", SMALL.replace("epochs = 3", "epochs = 1"))


@pytest.fixture(scope="session")
def settled_ran(once) -> Ran:
    """The same for ``decaybench run settled.toml``."""
    return _ran(once, "settled", SETTLED)


def _ran(once, name: str, text: str) -> Ran:
    def run(folder: Path) -> None:
        from decaybench.cli import main
        from drawn_once import undraw  # here, since tests/frameworks runs without what they import

        (folder / f"{name}.toml").write_text(text)
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            undraw(patch, once)
            patch.chdir(folder)
            patch.setenv("COLUMNS", "200")
            patch.delenv("DECAYBENCH_STORAGE", raising=False)
            with pytest.raises(SystemExit) as end:
                main(["run", f"{name}.toml"])
        assert end.value.code == 0, err.getvalue()
        (folder / "printed.json").write_text(json.dumps([out.getvalue(), err.getvalue()]))

    folder = once(name, run)
    return Ran(folder, *json.loads((folder / "printed.json").read_text()))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch, once) -> None:
    """Every report gets the figures of one synthetic sweep: to draw its own takes a second."""
    import drawn_once  # here, since tests/frameworks runs without what it imports

    drawn_once.undraw(monkeypatch, once)


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[URL]":
    """A server of its own for each process of pytest; its programs are Debian's package postgresql."""
    pytest.importorskip("psycopg")
    import postgres  # here, since tests/frameworks runs without SQLAlchemy

    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server is installed: initdb is neither on the path nor in /usr/lib/postgresql")
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: "URL") -> str:
    """An empty database on a PostgreSQL server, by its owner."""
    import postgres

    postgres.empty(postgres_server)
    return postgres_server.render_as_string(hide_password=False)
