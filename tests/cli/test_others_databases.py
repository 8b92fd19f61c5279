"""A database that is another program's, or that Optuna would not take: every command says so in a line and changes nothing."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest

import postgres
from decaybench.cli import main
from small_sweep import SMALL

STAMP = [
    "CREATE TABLE alembic_version (version_num VARCHAR(32))",
    "INSERT INTO alembic_version VALUES ('bd07f7e963c5')",
]
MLFLOW = [*STAMP, "CREATE TABLE experiments (experiment_id INTEGER)", "CREATE TABLE runs (run_uuid VARCHAR(32))"]
CLINICAL = ["CREATE TABLE studies (id INTEGER, title TEXT)", "CREATE TABLE trials (id INTEGER, patient TEXT)"]
OLD = ["UPDATE alembic_version SET version_num = 'v3.0.0.d'"]

COMMANDS = [
    ["run", "s.toml"],
    ["status"],
    ["status", "small", "--json"],
    ["report", "small"],
    ["verify", "r"],
    ["export", "small"],
    ["dashboard", "--port", "0"],
    ["backup", "b.db"],
    ["upgrade"],
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a sweep and what passes for a report until the database is read."""
    (tmp_path / "here" / "r").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    Path("s.toml").write_text(SMALL)
    Path("r/manifest.json").write_text('{"files": {}, "sweeps": [{"name": "small"}], "written_by": {}}')
    return tmp_path / "here"


def refused(capsys, arguments: list[str], url: str) -> str:
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--storage", url])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    return err


def snapshot(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def optunas(url: str) -> None:
    storage = optuna.storages.RDBStorage(url)
    optuna.create_study(storage=storage, study_name="theirs")
    storage.remove_session()
    storage.engine.dispose()


FILES = {
    "an old Optuna's": (True, OLD, "older Optuna (tables v3.0.0.d"),
    "an unknown Optuna's": (True, ["UPDATE alembic_version SET version_num = 'abc123'"], "'abc123'"),
    "MLflow's": (False, MLFLOW, "another program's database"),
    "a hospital's": (False, CLINICAL, "'studies' that is not Optuna's"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file(here, capsys, case):
    of_optuna, statements, says = FILES[case]
    if of_optuna:
        optunas("sqlite:///d.db")
    with closing(sqlite3.connect("d.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    before = snapshot(here)
    for command in COMMANDS:
        assert says in refused(capsys, command, "sqlite:///d.db")
        assert snapshot(here) == before


SERVERS = {
    "a foreign alembic_version": (False, STAMP, "'bd07f7e963c5'"),
    "MLflow's": (False, MLFLOW, "'runs' that is not decaybench's"),
    "a hospital's": (False, CLINICAL, "'studies' that is not Optuna's"),
    "an old Optuna's": (True, OLD, "older Optuna (tables v3.0.0.d"),
}


@pytest.mark.parametrize("case", SERVERS)
def test_a_server(here, capsys, postgres_url, case):
    of_optuna, statements, says = SERVERS[case]
    if of_optuna:
        optunas(postgres_url)
    postgres.execute(postgres_url, *statements)
    before, files = postgres.everything(postgres_url), snapshot(here)
    for command in COMMANDS:
        assert says in refused(capsys, command, postgres_url)
        assert postgres.everything(postgres_url) == before and snapshot(here) == files


def test_ones_own_results_are_read_whatever_optuna_is_installed(here, capsys, small_ran, undrawn):
    shutil.copyfile(small_ran.folder / "small.toml", "s.toml")
    shutil.copyfile(small_ran.folder / "studies" / "decaybench.db", "d.db")
    with closing(sqlite3.connect("d.db", isolation_level=None)) as connection:
        connection.execute(*OLD)
    before = Path("d.db").read_bytes()
    read = [["status"], ["status", "small"], ["report", "small", "--out", "r"], ["verify", "r"], ["export", "small"]]
    for command in read:
        with pytest.raises(SystemExit) as end:
            main([*command, "--storage", "sqlite:///d.db"])
        assert end.value.code == 0
    capsys.readouterr()
    for command in (["run", "s.toml"], ["dashboard", "--port", "0"]):
        line = refused(capsys, command, "sqlite:///d.db")
        assert "an older Optuna" in line and "; upgrade this one: optuna storage upgrade" in line
    assert Path("d.db").read_bytes() == before
