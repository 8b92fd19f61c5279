"""Sweeps that several modules read, a folder for the databases that a module's tests share, and processes that start at once."""

import multiprocessing
from pathlib import Path

import pytest

from looking import LOOKS, STRICT
from trained import FORKS, train


@pytest.fixture(scope="session")
def looks(once) -> Path:
    """The database of the sweep that settles while exp_loss waits. All tests share it: who changes it takes a copy."""
    return once("looks", lambda folder: train(LOOKS, folder / "looks.db")) / "looks.db"


@pytest.fixture(scope="session")
def strict(once) -> Path:
    """The same of the sweep that is looked at to the end."""
    return once("strict", lambda folder: train(STRICT, folder / "strict.db")) / "strict.db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that a server forks, rather than new interpreters, of which each imports for several seconds."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: FORKS)
