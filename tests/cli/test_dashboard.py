"""``decaybench dashboard`` serves the studies on 127.0.0.1 until it is interrupted."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time
import urllib.request

import pytest
from optuna.storages import RDBStorage

from decaybench import store
from decaybench.cli import main
from old_layouts import written
from trained import command, kill


def get(url: str) -> bytes:
    # no proxy of the environment stands between us and ourselves
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        assert answer.status == 200
        return answer.read()


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_it_serves_the_studies_until_interrupted(tmp_path, small_ran, stop):
    shutil.copyfile(small_ran.folder / "studies" / "decaybench.db", tmp_path / "d.db")
    server, out = command(tmp_path, "dashboard", "--storage", "sqlite:///d.db", "--port", "0"), tmp_path / "out"
    try:
        while not (line := out.read_text() if out.exists() else "").endswith("\n") and server.is_alive():
            time.sleep(0.05)
        url = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        assert str(tmp_path / "d.db") in line
        assert b"<html" in get(f"{url}dashboard").lower()
        assert get(url)
        (study,) = json.loads(get(f"{url}api/studies"))["study_summaries"]
        assert study["study_name"] == "small"
        os.kill(server.pid, stop)
        server.join(30)
    finally:
        kill(server)
    assert (server.exitcode, out.read_text(), (tmp_path / "err").read_text()) == (0, line, "")


def refused(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        main(["dashboard", *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A database in the working directory, as a run killed at its very start leaves it: ours, without a study."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECAYBENCH_STORAGE", "sqlite:///d.db")
    store.open_storage("sqlite:///d.db", create=True).engine.dispose()
    return tmp_path / "d.db"


@pytest.fixture
def studies(database):
    """The same with Optuna's tables."""
    RDBStorage("sqlite:///d.db").engine.dispose()
    return database


def test_a_port_that_is_taken_or_none(studies, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"--port: cannot listen on 127.0.0.1:{port}: " in refused(capsys, "--port", str(port))
    for port in ("-1", "65536"):
        assert f"--port: must be from 0 (any free port) to 65535, got {port}" in refused(capsys, "--port", port)
    assert "--port" in refused(capsys, "--port", "http")


def test_a_database_that_is_missing_or_foreign(tmp_path, capsys):
    assert "no database at" in refused(capsys, "--storage", f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
    with sqlite3.connect(tmp_path / "foreign.db") as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    assert "foreign.db" in refused(capsys, "--storage", f"sqlite:///{tmp_path}/foreign.db")
    (tmp_path / "notes.db").write_text("these are my notes\n" * 50)
    assert "notes.db" in refused(capsys, "--storage", f"sqlite:///{tmp_path}/notes.db")


def test_a_database_without_a_study_yet(database, capsys):
    assert f"no sweeps in {database}" in refused(capsys)
    with store.open_storage("sqlite:///d.db", create=False) as opened:
        store.create_sweep(opened, name="s", question="", spec={}, spec_hash="", provenance={}, runs=[])
    line = refused(capsys)
    assert f"optuna-dashboard cannot open {database}" in line
    assert "no such table" in line


def test_without_the_extra_it_says_what_to_install(database, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert "pip install -e '.[dashboard]'" in refused(capsys)


def test_a_sweep_of_an_older_version_is_named(database, tmp_path, capsys, monkeypatch):
    written(tmp_path / "old.db", 2)
    served = []
    monkeypatch.setattr("decaybench.cli.dashboard.make_server", lambda *_, **__: served.append(_Served()) or served[0])
    with pytest.raises(SystemExit) as end:
        main(["dashboard", "--storage", f"sqlite:///{tmp_path}/old.db"])
    assert end.value.code == 0 and served
    assert capsys.readouterr().err == (
        "note: sweep old: was run by an older decaybench, whose trials have no test results; "
        "run it again under another name\n"
    )


class _Served(contextlib.nullcontext):
    """A server that is interrupted at once."""

    server_port = 1

    def __enter__(self):
        return self

    def serve_forever(self) -> None:
        raise KeyboardInterrupt
