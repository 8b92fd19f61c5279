"""A folder for the databases that a module's tests share, and processes that start at once."""

import multiprocessing
from pathlib import Path

import pytest

from trained import FORKS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that a server forks, rather than new interpreters, of which each imports for several seconds."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: FORKS)
