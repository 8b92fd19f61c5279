"""Databases of Optuna and of other programs, and what is left of them after a refusal."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import make_url

import postgres
from decaybench.errors import UserError
from decaybench.search import StudyMirror
from decaybench.store import Storage, configure, find_storage, open_storage

optuna.logging.set_verbosity(optuna.logging.WARNING)


def execute(url: str, *statements: str) -> None:
    if not url.startswith("sqlite"):
        postgres.execute(url, *statements)
        return
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


@cache
def optunas_file(study: str | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        make_optunas(f"sqlite:///{folder}/x.db", study)
        return (Path(folder) / "x.db").read_bytes()


def optunas_tables(url: str, study: str | None = "theirs") -> None:
    if url.startswith("sqlite") and not (file := Path(str(make_url(url).database))).exists():
        file.write_bytes(optunas_file(study))
    else:
        make_optunas(url, study)


def make_optunas(url: str, study: str | None) -> None:
    storage = RDBStorage(url)
    if study is not None:
        optuna.create_study(storage=storage, study_name=study)
    storage.remove_session()
    storage.engine.dispose()


def state(url: str) -> object:
    if not url.startswith("sqlite"):
        return postgres.everything(url)
    folder = Path(str(make_url(url).database)).parent
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@contextmanager
def untouched(url: str) -> Iterator[None]:
    before = state(url)
    yield
    assert state(url) == before


OPEN: list[Callable[[str], object]] = [
    lambda url: open_storage(url, create=True),
    lambda url: open_storage(url, create=False),
    find_storage,
]


def refusal(url: str) -> str:
    """The line, one and the same for writers and readers, that nothing is changed with."""
    said = set()
    for open_it in OPEN:
        with untouched(url), pytest.raises(UserError) as caught:
            open_it(url)
        said.add(str(caught.value))
    (line,) = said
    assert "\n" not in line and str(make_url(url).database) in line
    return line


def mirror(storage: Storage) -> None:
    with StudyMirror(storage, "s", direction="minimize", spaces={}, configure=configure):
        pass
