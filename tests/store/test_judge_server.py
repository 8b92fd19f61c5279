"""What only a server has: neighbours, schemas, types."""

import pytest

import postgres
from databases import mirror, optunas_tables, refusal, untouched
from decaybench.errors import UserError
from decaybench.store import open_storage, optunas


def test_moved_tables_of_optuna_may_have_larger_numbers(postgres_url: str) -> None:
    optunas_tables(postgres_url)
    postgres.execute(postgres_url, "ALTER TABLE trial_params ALTER COLUMN param_id TYPE BIGINT")
    open_storage(postgres_url, create=True).engine.dispose()


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        (["CREATE TYPE trialstate AS ENUM ('OPEN', 'CLOSED')"], "a type 'trialstate' that is not Optuna's"),
        (["CREATE TYPE trialstate AS (a INTEGER)"], "a type 'trialstate' that is not Optuna's"),
        (["CREATE DOMAIN studydirection AS INTEGER"], "a type 'studydirection' that is not Optuna's"),
        (["CREATE TABLE trialstate (a INTEGER)"], "a table 'trialstate' that is not Optuna's"),
        (["CREATE VIEW trialvaluetype AS SELECT 1 AS a"], "a view 'trialvaluetype' that is not Optuna's"),
        (["CREATE DOMAIN trials AS INTEGER"], "a type 'trials' that is not Optuna's"),
        (["CREATE DOMAIN epochs AS INTEGER"], "a type 'epochs' that is not decaybench's"),
        (["CREATE SEQUENCE runs"], "a sequence 'runs' that is not decaybench's"),
        (["CREATE MATERIALIZED VIEW version_info AS SELECT 1 AS x"], "a view 'version_info' that is not Optuna's"),
        (["CREATE TABLE photos (id INTEGER)", "CREATE INDEX studies ON photos (id)"], "an index 'studies' that is not Optuna's"),
        (["CREATE TABLE photos (id INTEGER)", "CREATE INDEX ix_trials_study_id ON photos (id)"], "an index 'ix_trials_study_id' that is not Optuna's"),
        (["CREATE TABLE ix_studies_study_name (id INTEGER)"], "a table 'ix_studies_study_name' that is not Optuna's"),
    ],
)  # fmt: skip
def test_names_are_taken_by_more_than_tables(postgres_url: str, statements: list[str], says: str) -> None:
    postgres.execute(postgres_url, *statements)
    assert says in refusal(postgres_url)


def test_neighbours_with_other_names_stay(postgres_url: str) -> None:
    neighbours = ["CREATE TABLE photos (id INTEGER)", "CREATE TABLE patients (id INTEGER)"]
    neighbours += ["CREATE INDEX trialstate ON photos (id)", "CREATE SEQUENCE studydirection"]  # without types
    postgres.execute(postgres_url, *neighbours)
    with open_storage(postgres_url, create=True) as storage:
        mirror(storage)
    open_storage(postgres_url, create=False).engine.dispose()
    assert ("photos", 0) in postgres.everything(postgres_url)


def test_it_is_the_schemas_that_names_are_looked_up_in(postgres_url: str) -> None:
    theirs = ["CREATE TABLE theirs.studies (id INTEGER, title TEXT)", "CREATE TABLE theirs.trials (id INTEGER)"]
    postgres.execute(postgres_url, "CREATE SCHEMA theirs", "CREATE SCHEMA mine", *theirs)
    # behind ours on the path, their tables would be taken for ours
    both = f"{postgres_url}?options=-csearch_path%3Dmine,theirs"
    assert "a table 'studies' that is not Optuna's" in refusal(both)
    mine = f"{postgres_url}?options=-csearch_path%3Dmine"
    with open_storage(mine, create=True) as storage:
        mirror(storage)
    found = postgres.everything(postgres_url)
    assert ("runs", "r", "mine") in [(row[0], row[1], row[3]) for row in found if len(row) == 4]
    with pytest.raises(UserError, match="no sweeps"):
        open_storage(postgres_url, create=False)


def test_tables_of_which_one_is_hidden_by_the_path(postgres_url: str) -> None:
    optunas_tables(postgres_url)
    postgres.execute(postgres_url, "CREATE SCHEMA mine", "CREATE TABLE mine.trials (id INTEGER)")
    mine = f"{postgres_url}?options=-csearch_path%3Dmine,public"
    assert "a table 'trials' that is not Optuna's" in refusal(mine)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("-csearch_path%3Dnowhere", "no schema has been selected to create in"),
        ("-cdefault_transaction_read_only%3Don", "read-only transaction"),
    ],
)
def test_a_server_that_takes_no_tables(postgres_url: str, options: str, says: str) -> None:
    with untouched(postgres_url), pytest.raises(UserError) as caught:
        open_storage(f"{postgres_url}?options={options}", create=True)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_types_that_dropped_tables_left_are_used_again(postgres_url: str) -> None:
    optunas_tables(postgres_url, study=None)
    left = "', '".join(sorted(optunas.TABLES)) + "', '" + optunas.STAMP
    drop = f"DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['{left}'] LOOP EXECUTE 'DROP TABLE ' || t || ' CASCADE'; END LOOP; END $$"
    postgres.execute(postgres_url, drop)
    with open_storage(postgres_url, create=True) as storage:
        mirror(storage)
