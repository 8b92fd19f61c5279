"""Whose tables a database holds is known before the first write, in a file and on a server."""

from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import BaseModel
from sqlalchemy import Enum

from databases import OPEN, execute, mirror, optunas_tables, refusal, untouched
from decaybench.errors import UserError
from decaybench.store import find_storage, open_storage, optunas

STAMP = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
MLFLOW = [
    STAMP,
    "INSERT INTO alembic_version VALUES ('bd07f7e963c5')",
    "CREATE TABLE experiments (experiment_id INTEGER, name VARCHAR(256), artifact_location VARCHAR(256))",
    "CREATE TABLE runs (run_uuid VARCHAR(32), name VARCHAR(250), experiment_id INTEGER, status VARCHAR(9))",
    "CREATE TABLE metrics (key VARCHAR(250), value FLOAT, timestamp BIGINT, run_uuid VARCHAR(32))",
]

# What stood there before, all in SQL that both databases know, and what the refusal says of a file and of a server.
FOREIGN: dict[str, tuple[list[str], str, str]] = {
    "MLflow": (MLFLOW, "is another program's database (tables: alembic_version, experiments, metrics)", "a table 'runs' that is not decaybench's"),
    "alembic's table of another program": (
        [STAMP, "INSERT INTO alembic_version VALUES ('bd07f7e963c5')"],
        "is another program's database (tables: alembic_version)",
        "a table 'alembic_version' of another program (revision 'bd07f7e963c5')",
    ),
    "the same without a revision yet": ([STAMP], "another program's database", "a table 'alembic_version' that is not Optuna's"),
    "a table called as alembic's": (["CREATE TABLE alembic_version (number INTEGER)"], "another program's database", "a table 'alembic_version' that is not Optuna's"),
    "studies and trials": (
        ["CREATE TABLE studies (id INTEGER, title TEXT)", "CREATE TABLE trials (id INTEGER, patient TEXT)"],
        "a table 'studies' that is not Optuna's",
        "a table 'studies' that is not Optuna's",
    ),
    "trials alone": (["CREATE TABLE trials (trial_id INTEGER)"], "a table 'trials' that is not Optuna's", "a table 'trials' that is not Optuna's"),
    "studies that have Optuna's columns": (
        ["CREATE TABLE studies (study_id INTEGER, study_name TEXT, sponsor TEXT)", "INSERT INTO studies VALUES (1, 'x', 'y')"],
        "a table 'studies' that is not Optuna's",
        "a table 'studies' that is not Optuna's",
    ),
    "a view called as a table": (
        ["CREATE VIEW trials AS SELECT 1 AS trial_id"],
        "a view 'trials' that is not Optuna's",
        "a view 'trials' that is not Optuna's",
    ),
    "a view called as ours": (["CREATE VIEW sweeps AS SELECT 1 AS id"], "is another program's database (a view 'sweeps')", "a view 'sweeps' that is not decaybench's"),
    "alembic's table with a row of nothing": (
        ["CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES (NULL)"],
        "is another program's database (tables: alembic_version)",
        "a table 'alembic_version' of another program (revision 'NULL')",
    ),
    "an empty one without a key": (["CREATE TABLE studies (study_id INTEGER, study_name VARCHAR(512))"], *["a table 'studies' that is not Optuna's"] * 2),
    "an empty one with another key": (["CREATE TABLE studies (study_id INTEGER, study_name VARCHAR(512) PRIMARY KEY)"], *["a table 'studies' that is not Optuna's"] * 2),
    "an empty one with two keys": (["CREATE TABLE studies (study_id INTEGER, study_name VARCHAR(512), PRIMARY KEY (study_id, study_name))"], *["a table 'studies' that is not Optuna's"] * 2),
    "an empty one whose key is text": (["CREATE TABLE studies (study_id VARCHAR(9) PRIMARY KEY, study_name VARCHAR(512))"], *["a table 'studies' that is not Optuna's"] * 2),
    "an empty one with more": (["CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512), sponsor TEXT NOT NULL)"], *["a table 'studies' that is not Optuna's"] * 2),
    "another version's": (["CREATE TABLE version_info (version_info_id INTEGER, schema_version INTEGER, library_version VARCHAR(256))"], *["a table 'version_info' that is not Optuna's"] * 2),
}  # fmt: skip

# What was done to Optuna's own tables, with a study in them.
SPOILT: dict[str, tuple[list[str], str]] = {
    "an old revision": (["UPDATE alembic_version SET version_num = 'v3.0.0.d'"], "an older Optuna (tables v3.0.0.d, Optuna "),
    "the first revision": (["UPDATE alembic_version SET version_num = 'v0.9.0.a'"], "an older Optuna (tables v0.9.0.a, Optuna "),
    "an unknown revision": (["UPDATE alembic_version SET version_num = 'abc123'"], "a table 'alembic_version' of another program (revision 'abc123')"),
    "one between Optuna's": (["UPDATE alembic_version SET version_num = 'v3.1.0.a'"], "a table 'alembic_version' of another program (revision 'v3.1.0.a')"),
    "a newer one": (["UPDATE alembic_version SET version_num = 'v99.1.0.a'"], "a newer Optuna (tables v99.1.0.a"),
    "two revisions": (["INSERT INTO alembic_version VALUES ('bd07f7e963c5')"], "of another program"),
    "no revision": (["DELETE FROM alembic_version"], "is damaged: it has Optuna's tables, but lacks the revision in alembic_version"),
    "no table of it": (["DROP TABLE alembic_version"], "is damaged: it has Optuna's tables, but lacks the revision in alembic_version"),
    "two versions": (
        ["DROP TABLE version_info", "CREATE TABLE version_info (version_info_id INTEGER, schema_version INTEGER, library_version VARCHAR(9))",
         "INSERT INTO version_info VALUES (1, 12, '3'), (2, 12, '3')"],
        "a table 'version_info' that is not Optuna's",
    ),
    "a lost table": (["DROP TABLE trial_heartbeats"], "is damaged: it has Optuna's tables, but lacks trial_heartbeats"),
    "two lost tables": (["DROP TABLE trial_heartbeats", "DROP TABLE version_info"], "lacks trial_heartbeats, version_info"),
    "a lost column": (["ALTER TABLE studies RENAME COLUMN study_name TO title"], "a table 'studies' that is not Optuna's"),
    "a view for a table": (
        ["ALTER TABLE trial_params RENAME TO params", "CREATE VIEW trial_params AS SELECT * FROM params"],
        "a view 'trial_params' that is not Optuna's",
    ),
}  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    return f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.mark.parametrize("case", FOREIGN)
def test_another_programs(url: str, case: str) -> None:
    statements, of_a_file, of_a_server = FOREIGN[case]
    execute(url, *statements)
    assert (of_a_file if url.startswith("sqlite") else of_a_server) in refusal(url)


@pytest.mark.parametrize("case", SPOILT)
def test_optunas_that_optuna_would_not_take(url: str, case: str) -> None:
    statements, says = SPOILT[case]
    optunas_tables(url)
    execute(url, *statements)
    assert says in refusal(url)


def test_ours_beside_optunas_that_optuna_would_not_take(url: str) -> None:
    open_storage(url, create=True).engine.dispose()
    optunas_tables(url)
    for storage in (open_storage(url, create=True), open_storage(url, create=False)):
        storage.engine.dispose()
    for statement, says in (
        ("DROP TABLE trial_heartbeats", "lacks trial_heartbeats"),
        ("UPDATE alembic_version SET version_num = 'v3.0.0.d'", "was written by an older Optuna"),
        ("UPDATE alembic_version SET version_num = 'v99.1.0.a'", "was written by a newer Optuna"),
        ("UPDATE alembic_version SET version_num = 'abc123'", "of another program"),
    ):
        execute(url, statement)
        with untouched(url):
            open_storage(url, create=False).engine.dispose()
            for open_it in (OPEN[0], find_storage, lambda url: open_storage(url, create=False, optuna=True)):
                with pytest.raises(UserError, match=says):
                    open_it(url)


def test_for_our_own_results_no_other_database_is_advised(url: str) -> None:
    open_storage(url, create=True).engine.dispose()
    optunas_tables(url)
    execute(url, "UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    with pytest.raises(UserError, match=r"needs v[\d.a-z]+\); upgrade this one: optuna storage upgrade --storage "):
        open_storage(url, create=True)


def test_the_advice_for_an_older_optunas_is_right(url: str) -> None:
    optunas_tables(url)
    execute(url, "UPDATE alembic_version SET version_num = 'v3.0.0.d'")
    advice = refusal(url).partition("optuna storage upgrade --storage ")[2]
    if url.startswith("sqlite"):
        assert advice == url
    else:
        assert advice == "postgresql://USER:PASSWORD@" + url.partition("@")[2]
    storage = RDBStorage(url, skip_compatibility_check=True)  # which is what that command does
    storage.upgrade()
    storage.remove_session()
    storage.engine.dispose()
    open_storage(url, create=True).engine.dispose()


@pytest.mark.parametrize("study", [None, "theirs"])
def test_optunas_as_it_is_today_is_taken(url: str, study: str | None) -> None:
    optunas_tables(url, study)
    open_storage(url, create=True).engine.dispose()
    open_storage(url, create=False).engine.dispose()


@pytest.mark.parametrize(
    "undone",
    [
        ["DELETE FROM alembic_version"],
        ["DROP TABLE alembic_version"],
        ["DROP TABLE alembic_version", "DELETE FROM version_info"],
        ["DROP TABLE alembic_version", "DROP TABLE version_info", "DROP TABLE trial_heartbeats", "DROP TABLE trial_values"],
    ],
)  # fmt: skip
def test_what_a_process_killed_while_optuna_made_its_tables_leaves_is_gone_on_with(url: str, undone: list[str]) -> None:
    optunas_tables(url, study=None)
    execute(url, *undone)
    with open_storage(url, create=True) as storage:
        mirror(storage)


def test_what_changes_after_the_look_is_a_line_too(url: str) -> None:
    with open_storage(url, create=True) as storage:
        optunas_tables(url)
        execute(url, "UPDATE alembic_version SET version_num = 'v3.0.0.d'")
        with pytest.raises(UserError, match=r"they are v3\.0\.0\.d, and Optuna needs"):
            mirror(storage)
        execute(
            url, "DROP TABLE alembic_version", "ALTER TABLE studies RENAME TO old", "CREATE TABLE studies (id INTEGER)"
        )
        with pytest.raises(UserError, match="study_name"):
            mirror(storage)


def test_the_tables_are_the_installed_optunas() -> None:
    tables = BaseModel.metadata.tables
    assert {name: set(optunas.TABLES[name]) for name in optunas.TABLES} == {
        name: {column.name for column in table.columns} for name, table in tables.items()
    }
    assert {name: [column.name for column in table.primary_key] for name, table in tables.items()} == {
        name: [key] for name, key in optunas.KEYS.items()
    }
    assert {index.name: name for name, table in tables.items() for index in table.indexes} == optunas.INDEXES
    kinds = [column.type for table in tables.values() for column in table.columns if isinstance(column.type, Enum)]
    assert {kind.name: frozenset(kind.enums) for kind in kinds} == optunas.ENUMS


def test_the_revisions_are_the_installed_optunas(tmp_path: Path) -> None:
    storage = RDBStorage(f"sqlite:///{tmp_path}/x.db")
    assert list(optunas.revisions()) == storage.get_all_versions()[::-1]
    assert optunas.revisions()[-1] == storage.get_head_version()
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.parametrize("name", ["Runs", "STUDIES"])
def test_a_file_knows_no_case(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    optunas_tables(url, study=None)
    execute(url, *(["ALTER TABLE studies RENAME TO other", "DELETE FROM alembic_version"] if name == "STUDIES" else []))
    execute(url, f"CREATE TABLE {name} (id INTEGER)")
    assert f"a table {name.lower()!r} that is not" in refusal(url)


@pytest.mark.parametrize(
    ("undone", "index", "says"),
    [
        ([], "runs", "an index 'runs' that is not decaybench's"),
        ([], "Sweeps", "an index 'sweeps' that is not decaybench's"),
        (["DROP TABLE trial_params", "DELETE FROM alembic_version"], "trial_params", "an index 'trial_params' that is not Optuna's"),
        (["DROP TABLE trials", "DELETE FROM alembic_version"], "ix_trials_study_id", "an index 'ix_trials_study_id' that is not Optuna's"),
    ],
)  # fmt: skip
def test_in_a_file_indexes_take_names_too(tmp_path: Path, undone: list[str], index: str, says: str) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    optunas_tables(url, study=None)
    execute(url, *undone, f"CREATE INDEX {index} ON studies (study_name)")
    assert says in refusal(url)


def test_a_file_with_a_table_of_an_extension_is_another_programs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    execute(url, "CREATE TABLE places (id)", "PRAGMA writable_schema = ON")
    sql = "CREATE VIRTUAL TABLE shapes USING spatialindex(x)"  # of a module that is not loaded here
    execute(
        url,
        "PRAGMA writable_schema = ON",
        f"INSERT INTO sqlite_master VALUES ('table', 'shapes', 'shapes', 0, '{sql}')",
    )
    assert "another program's database (tables: places, shapes)" in refusal(url)
