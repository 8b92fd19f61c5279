"""optuna-dashboard opens what a run leaves behind."""

import io
import json
import shutil

import decaybench


def get(app, path: str) -> dict:
    status = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    body = b"".join(app(environ, lambda line, headers, exc_info=None: status.append(line)))
    assert status[0].startswith("200"), status
    return json.loads(body)


def test_the_study_opens_in_optuna_dashboard(tmp_path, monkeypatch, small_ran):
    import optuna
    from optuna_dashboard import wsgi

    monkeypatch.chdir(tmp_path)
    url = "sqlite:///d.db"
    shutil.copyfile(small_ran.folder / "studies" / "decaybench.db", "d.db")
    storage = optuna.storages.RDBStorage(url)
    app = wsgi(storage)
    (study,) = get(app, "/api/studies")["study_summaries"]
    assert study["study_name"] == "small"
    detail = get(app, f"/api/studies/{study['study_id']}?after=0")
    trials = detail["trials"]
    frames = decaybench.load(url, "small")
    search = frames.runs[frames.runs["phase"] == "search"]
    assert len(trials) == len(search)
    assert {trial["state"] for trial in trials} == {"Complete"}
    told = {a["value"].strip('"'): t for t in trials for a in t["user_attrs"] if a["key"] == "run_id"}
    for run in search[search["outcome"] == "finished"].itertuples():
        assert told[run.id]["values"] == [run.validation_accuracy]
        assert told[run.id]["number"] == run.trial_number
    storage.remove_session()
    storage.engine.dispose()
