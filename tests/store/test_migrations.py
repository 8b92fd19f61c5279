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

import decaybench
from decaybench.store import VERSION, open_storage
from old_layouts import content, schema, version, written

POINTS = 20
IN_LOG = 7

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

folder, points, in_log = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
code, said = in_a_process(f"{folder}/whole.db")
steps, size = json.loads(said)
ends = {"whole": code}
in_steps = points - in_log
kills = [{"at": 1 + n * (steps - 1) // (in_steps - 1)} for n in range(in_steps)]  # the first and the last among them
kills += [{"log": 1 + n * (size - 2) // (in_log - 1)} for n in range(in_log)]
for n, how in enumerate(kills):
    ends[n] = in_a_process(f"{folder}/{n}.db", **how)[0]
print(json.dumps(ends))
"""


def test_killed_at_twenty_points_it_loses_nothing(tmp_path: Path) -> None:
    first = written(tmp_path / "whole.db", 2)
    for n in range(POINTS):
        shutil.copyfile(first, tmp_path / f"{n}.db")
    before, was = content(first), schema(first)
    assert [len(before[table]) for table in ("runs", "epochs", "traces")] == [8, 12, 8]
    command = [sys.executable, "-W", "error", "-c", FORKS, tmp_path, f"{POINTS}", f"{IN_LOG}"]
    env = os.environ | {"PYTHONPATH": str(Path(decaybench.__file__).parents[1])}
    said = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=120).stdout
    ends = json.loads(said)
    assert ends.pop("whole") == 0
    assert list(ends.values()) == [-signal.SIGKILL] * (POINTS - IN_LOG) + [-signal.SIGXFSZ] * IN_LOG
    old, new = (was, [(2,)]), (schema(first), [(VERSION,)])
    found = []
    for n in range(POINTS):
        path = tmp_path / f"{n}.db"
        found.append((schema(path), version(path)))
        assert content(path) == before
        assert_whole(path)
        open_storage(f"sqlite:///{path}", create=True).engine.dispose()
        assert content(path) == before and (schema(path), version(path)) == new
        assert_whole(path)
    # The last writes of a commit may only fill a sector of the disk: then it is done.
    assert found[:-1] == [old] * (POINTS - 1) and found[-1] in (old, new)


def assert_whole(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
