"""Killed at any point of it, layout 3's migration has changed nothing, and is done by the next one who writes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import decaybench
from decaybench.store import VERSION, open_storage
from old_layouts import content, schema, version, written

# Each migration is a process of its own, forked from one that has loaded everything: twenty starts would take a while.
# It counts SQLite's own instructions from the moment that it has the lock, the commit's included. All writes come in
# the commit, so there the kernel kills, at lengths of the log.
FORKS = """
import json, os, resource, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from decaybench.store import open_storage

def migrate(path, at=None, log=None):
    done, size = [0], [0]
    def one_more():
        done[0] += 1
        if done[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
    @event.listens_for(Engine, "after_cursor_execute")
    def begun(connection, cursor, statement, *_):
        if statement == "BEGIN EXCLUSIVE":
            connection.connection.dbapi_connection.set_progress_handler(one_more, 1)
            if log is not None:  # the kernel ends who writes a longer file
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (log, log))
    @event.listens_for(Engine, "close_detached")
    def ended(connection):
        size[0] = os.stat(f"{path}-wal").st_size
    open_storage(f"sqlite:///{path}", create=True)
    return done[0], size[0]

def in_a_process(path, **how):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, json.dumps(migrate(path, **how)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 100)
    os.close(reading)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode()

folder, in_steps, in_log = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
code, said = in_a_process(f"{folder}/whole.db")
steps, size = json.loads(said)
kills = [{"at": (n + 1) * steps // (in_steps + 1)} for n in range(in_steps)]
kills += [{"log": (n + 1) * size // (in_log + 1)} for n in range(in_log)]
ends = [code, *(in_a_process(f"{folder}/{n}.db", **how)[0] for n, how in enumerate(kills))]
print(json.dumps(ends))
"""


@pytest.mark.parametrize(("in_steps", "in_log"), [(3, 1), pytest.param(13, 7, marks=pytest.mark.soak)])
def test_killed_at_any_point_it_loses_nothing(tmp_path: Path, in_steps: int, in_log: int) -> None:
    first = written(tmp_path / "whole.db", 2)
    before, was = content(first), schema(first)
    assert [len(before[table]) for table in ("runs", "epochs", "traces")] == [8, 12, 8]
    killed = [tmp_path / f"{n}.db" for n in range(in_steps + in_log)]
    for path in killed:
        shutil.copyfile(first, path)
    command = [sys.executable, "-W", "error", "-c", FORKS, tmp_path, f"{in_steps}", f"{in_log}"]
    env = os.environ | {"PYTHONPATH": str(Path(decaybench.__file__).parents[1])}
    said = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=120).stdout
    assert json.loads(said) == [0] + [-signal.SIGKILL] * in_steps + [-signal.SIGXFSZ] * in_log
    for path in killed:
        assert content(path) == before and schema(path) == was and version(path) == [(2,)]
        assert_whole(path)
        open_storage(f"sqlite:///{path}", create=True).engine.dispose()
        assert content(path) == before and schema(path) == schema(first) and version(path) == [(VERSION,)]
        assert_whole(path)


def assert_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
