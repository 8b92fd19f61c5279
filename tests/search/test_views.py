"""What optuna-dashboard shows of a sweep."""

import json
import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest

import decaybench
from decaybench import store
from decaybench.report.dashboard.note import UNFINISHED
from decaybench.runner import Watcher
from decaybench.search.views import KEPT, Content, publish
from search.test_dashboard import get
from small_sweep import SMALL

IDS = {f"decaybench-{name}" for name in ("decision", "search", "learning-rate", "trials")}
GRAPH = {"data": [{"type": "scatter", "x": list(range(900)), "y": list(range(900))}], "layout": {}}


@pytest.fixture
def url(tmp_path, monkeypatch) -> str:
    """A database of ours with an empty study ``s``."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///d.db"
    with store.open_storage(url, create=True) as opened:
        storage = optuna.storages.RDBStorage(opened.url)
        store.configure(storage.engine)
        optuna.create_study(study_name="s", storage=storage, direction="maximize")
        storage.remove_session()
        storage.engine.dispose()
    return url


def put(url: str, content: Content, name: str = "s") -> bool:
    return publish(url, name, content, configure=store.configure)


def attributes(file: str = "d.db") -> dict[str, str]:
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT key, value_json FROM study_system_attributes ORDER BY key").fetchall())


def detail(url: str) -> dict:
    """The study as the dashboard's page asks for it."""
    from optuna_dashboard import wsgi

    storage = optuna.storages.RDBStorage(url)
    app = wsgi(storage)
    (study,) = get(app, "/api/studies")["study_summaries"]
    found = get(app, f"/api/studies/{study['study_id']}?after=0")
    storage.remove_session()
    storage.engine.dispose()
    return found


def shown(url: str) -> dict[str, dict]:
    return {g["id"]: json.loads(g["graph_object"]) for g in detail(url)["plotly_graph_objects"]}


def test_a_run_leaves_note_graphs_and_names_in_the_dashboard(tmp_path, monkeypatch, undrawn):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(SMALL.replace("epochs = 3", "epochs = 1"))
    before: list[str] = []

    class Looking(Watcher):
        def begin(self, name: str, updates_left: int, stack_size: int, device: str) -> None:
            before.append(detail("sqlite:///d.db")["note"]["body"])

    outcome = decaybench.run("s.toml", storage="sqlite:///d.db", watcher=Looking())
    assert "Does the runner survive?" in before[0] and UNFINISHED in before[0] and "`staircase`" in before[0]
    assert {p.name for p in tmp_path.glob("d.db*")} == {"d.db"}  # no write-ahead log
    study = detail("sqlite:///d.db")
    note = study["note"]["body"]
    assert outcome.answer in note and UNFINISHED not in note
    assert str(Path("studies/small/report/index.html").resolve()) in note
    assert study["objective_names"] == ["validation accuracy"]
    graphs = shown("sqlite:///d.db")
    assert set(graphs) == IDS
    assert sum(len(trace["x"]) for trace in graphs["decaybench-trials"]["data"]) == len(study["trials"]) == 32
    first = attributes()
    from decaybench import api

    api.report("small", storage="sqlite:///d.db")
    assert attributes() == first  # the same again, note's version and all
    assert {p.name for p in tmp_path.glob("d.db*")} == {"d.db"}  # no write-ahead log


def test_a_graph_takes_the_place_of_its_former_self(url):
    assert put(url, Content("m", "long " * 2000, {"a": GRAPH, "b": GRAPH}))
    assert shown(url) == {"a": GRAPH, "b": GRAPH}
    small = {"data": [], "layout": {"title": {"text": "é"}}}
    assert put(url, Content("other", "short", {"a": small}))
    assert shown(url) == {"a": small, "b": GRAPH}
    study = detail(url)
    assert study["note"]["body"].startswith("short\n") and study["objective_names"] == ["other"]


def test_what_a_person_wrote_is_kept(url):
    from optuna_dashboard import get_note, save_note

    storage = optuna.storages.RDBStorage(url)
    study = optuna.load_study(study_name="s", storage=storage)
    save_note(study, "Mine, from before.")
    put(url, Content("m", "ours", {}))
    assert get_note(study) == f"ours\n\n---\n{KEPT}\n\nMine, from before.\n"
    save_note(study, get_note(study) + "And after.")
    put(url, Content("m", "ours again", {}))
    assert get_note(study) == f"ours again\n\n---\n{KEPT}\n\nMine, from before.\nAnd after.\n"
    version = attributes()["dashboard:note_ver"]
    put(url, Content("m", "ours again", {}))
    assert attributes()["dashboard:note_ver"] == version
    storage.remove_session()
    storage.engine.dispose()


def test_without_the_dashboard_only_the_metric_is_named(url, monkeypatch, recwarn, caplog):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert not put(url, Content("validation loss", "note", {"a": GRAPH}))
    assert attributes() == {"study:metric_names": '["validation loss"]'}
    assert not recwarn.list and not caplog.records


def test_a_deleted_study_is_not_made_again(url, caplog):
    assert not put(url, Content("m", "n", {}), name="gone")
    assert attributes() == {} and not caplog.records


def test_a_database_that_refuses_costs_one_line(url, monkeypatch, caplog):
    def refuse(*_: object) -> None:
        raise optuna.exceptions.StorageInternalError("attempt to write\na readonly database")

    monkeypatch.setattr(optuna.storages.RDBStorage, "set_study_system_attr", refuse)
    with caplog.at_level(logging.WARNING, "decaybench"):
        assert not put(url, Content("m", "n", {}))
    (record,) = caplog.records
    assert record.getMessage() == "optuna-dashboard shows no report of s: attempt to write a readonly database"


def test_pragmas_are_set_and_no_log_is_left(url):
    with closing(sqlite3.connect("d.db")) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    put(url, Content("m", "n", {"a": GRAPH}))
    assert mode == "wal" and [p.name for p in Path().iterdir()] == ["d.db"]
