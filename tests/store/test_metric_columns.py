"""The columns of a metric that a database is older than: read as NULL, added by what writes, ignored where unknown."""

from pathlib import Path

from sqlalchemy import text

from decaybench.store import VERSION, NewRun, RunResult, Storage, finish_runs, open_storage, runs, write_epochs
from new_metric import with_it
from old_layouts import content, version, written

OPENED = """
import json, sys
from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import IntegrityError
from decaybench.store import VERSION, find_storage, load_frames, open_storage, runs
from decaybench.store import open as opening
from decaybench.store.schema import EPOCHS, RUNS

url, name = sys.argv[1:]
TABLES = {"runs": RUNS, "epochs": EPOCHS}
ADDED = {"runs": {"validation_error", "test_error"}, "epochs": {"validation_error"}}

def columns(storage):
    return {table: {each["name"] for each in inspect(storage.engine).get_columns(table)} for table in TABLES}

def assert_null(storage):
    assert {(run.validation_error, run.test_error) for run in runs(storage, name)} == {(None, None)}
    frames = load_frames(storage, name)
    assert frames.runs["test_error"].isna().all() and frames.epochs["validation_error"].isna().all()

for open_it in (lambda: open_storage(url, create=False), lambda: find_storage(url)):
    with open_it() as storage:
        assert_null(storage)
        before = columns(storage)
    assert all(not ADDED[table] & before[table] for table in TABLES)
seen, look = opening._look(make_url(url), write=True), opening._look
for opening._look in (look, lambda *_, **__: seen, look):  # the second one looked before the first one added anything
    with open_storage(url, create=True) as storage:
        assert storage.layout == VERSION and not storage.lacks
        assert_null(storage)
        found = columns(storage)
assert all(found[table] == before[table] | ADDED[table] | set(TABLES[table].columns.keys()) for table in TABLES)
with open_storage(url, create=True) as storage:
    for table, column, value in (("runs", "test_error", 1.5), ("epochs", "validation_error", -0.1)):
        try:
            with storage.write() as connection:
                connection.execute(text(f"UPDATE {table} SET {column} = {value}"))
        except IntegrityError:
            continue
        raise AssertionError(f"{column} may be {value}")
    with storage.write() as connection:
        connection.execute(text("UPDATE epochs SET validation_error = 0.25"))
        connection.execute(text("UPDATE runs SET test_error = 0.5"))
with open_storage(url, create=False) as storage:
    assert {run.test_error for run in runs(storage, name)} == {0.5}
    assert set(load_frames(storage, name).epochs["validation_error"]) == {0.25}
print("null")
"""


def test_they_are_added_and_ignored_by_a_program_without_the_metric(
    sweep: Storage, epoch, planned: list[NewRun]
) -> None:
    first, second = planned[:2]
    url, last = sweep.url, {"validation_loss": 1.0, "validation_accuracy": 0.5}
    write_epochs(sweep, [epoch(first.id)])
    finish_runs(sweep, [RunResult(first.id, "finished", 1, **last)])
    sweep.engine.dispose()
    with_it(OPENED, url, "quick")
    with open_storage(url, create=True) as storage:
        assert not storage.lacks and "test_error" not in vars(runs(storage, "quick")[0])
        write_epochs(storage, [epoch(second.id)])
        finish_runs(storage, [RunResult(second.id, "finished", 1, **last)])
        with storage.read() as connection:
            kept = connection.execute(text("SELECT test_error, count(*) FROM runs GROUP BY 1")).all()
            assert kept == [(0.5, len(planned))]
            curves = connection.execute(text("SELECT validation_error FROM epochs ORDER BY 1 NULLS FIRST")).scalars()
            assert list(curves) == [None, 0.25]


def test_an_older_layout_gets_them_with_what_else_it_lacks(tmp_path: Path) -> None:
    path = written(tmp_path / "x.db", 2)
    before = content(path)
    with_it(OPENED, f"sqlite:///{path}", "old")
    after = content(path)
    assert all(row.pop("test_error") == 0.5 for row in after["runs"])
    assert all(row.pop("validation_error") == 0.25 for row in after["epochs"])
    assert after == before and version(path) == [(VERSION,)]
