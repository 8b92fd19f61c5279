"""Workers that are started apart from the driver: the numbers of one process, whoever trains and whoever dies."""

import itertools
import json
import os
import random
import signal
import sqlite3
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from decaybench import seeds, store
from decaybench.cli import main
from decaybench.errors import MachineError, UserError
from decaybench.models import build
from decaybench.runner import Watcher, plain, run_sweep, run_worker
from decaybench.runner.executors import base, slurm
from decaybench.store import attempts
from decaybench.sweep import Sweep
from decaybench.training.layers import trace
from elsewhere import ONE, drive, held, without_stacks, working
from small_sweep import results
from trained import FORKS, kill, train


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("quiet") / "d.db"
    train(ONE, database)
    return database


def test_plain_workers_give_the_numbers_of_one_process(quiet, tmp_path):
    with working(tmp_path, "a", "b") as processes:
        assert drive(tmp_path / "d.db", executor="work") == []
    assert [process.exitcode for process in processes] == [130, 130]
    assert without_stacks(tmp_path / "d.db") == without_stacks(quiet)
    with store.open_storage(f"sqlite:///{tmp_path / 'd.db'}", create=False) as opened:
        assert store.present(opened) == [], "who leaves says so"
    said = "".join((tmp_path / name / "err").read_text() for name in "ab")
    with closing(sqlite3.connect(tmp_path / "d.db")) as connection:
        (stacks,) = connection.execute("SELECT count(*) FROM stacks").fetchone()
    assert said.count("small: trains stack ") == said.count(" is done after ") == stacks


def short_lease(url: str) -> None:
    attempts.LEASE_S = 1.0
    run_worker(url=url, data_root=None, name="short")


@pytest.mark.soak  # test_kills has a worker that is stopped instead
def test_a_stack_whose_worker_was_killed_is_trained_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RENEW_S", 0.5)  # how much longer than the lease the driver waits
    longer = ONE.replace("epochs = 3", "epochs = 8").replace("trials = 4", "trials = 2")
    database, quiet = tmp_path / "d.db", tmp_path / "quiet.db"
    train(longer, quiet)
    store.open_storage(f"sqlite:///{database}", create=True).engine.dispose()
    victim = FORKS.Process(target=short_lease, args=(f"sqlite:///{database}",))
    victim.start()
    lines: list[str] = []
    driver = threading.Thread(target=lambda: lines.extend(drive(database, longer, quiet, executor="work")))
    driver.start()
    while not held(database) and victim.is_alive():
        time.sleep(0.01)
    kill(victim)
    (lost,) = held(database)
    with working(tmp_path, "other"):
        driver.join(120)
    assert not driver.is_alive()
    assert lines == [f"stack {lost} failed (its worker has not renewed its lease for 60 s); it is tried again"]
    assert without_stacks(database) == without_stacks(quiet)


def offered_anew(quiet: Path, database: Path, change: str) -> str:
    """A copy of the sweep with an offered stack, whose provenance was changed by SQL; returns its URL."""
    with closing(sqlite3.connect(quiet)) as source, closing(sqlite3.connect(database)) as copy:
        source.backup(copy)
        copy.execute("UPDATE stacks SET state = 'offered', public = 1 WHERE stack = 0")
        copy.execute(f"UPDATE sweeps SET provenance = json_set(provenance, {change})")
        copy.commit()
    return f"sqlite:///{database}"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("'$.device', 'cuda'", "device: cuda in the sweep, cpu here"),
        ("'$.versions.torch', '1.0'", "torch: 1.0 in the sweep, "),
        ("'$.versions.decaybench', '9'", "decaybench: 9 in the sweep, "),
        ("'$.data_sha256', 'x'", "images: x in the sweep, "),
        ("'$.splits_sha256', 'x'", "splits: x in the sweep, "),
    ],
)
def test_a_worker_that_differs_takes_nothing_and_says_why(quiet, tmp_path, monkeypatch, capsys, change, what):
    url, lines, seen = offered_anew(quiet, tmp_path / "d.db", change), [], []
    shown: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        with store.open_storage(url, create=False) as opened:
            seen.extend(worker.refused for worker in store.present(opened))
        if seen[-1]:
            for more in ([], ["--json"]):
                with pytest.raises(SystemExit):
                    main(["status", "small", "--storage", url, *more])
                shown.append(capsys.readouterr().out)

    monkeypatch.setattr(plain, "POLL_S", 0.01)
    monkeypatch.setattr(plain, "AGAIN_S", 0.02)
    run_worker(url=url, data_root=None, name="me", idle=0.1, say=say)
    assert lines[0].startswith("worker me on cpu: looks for stacks in ")
    line, last = lines[1:]
    assert last == "left after 0 s without work"
    assert line.startswith(f"small: nothing of it is trained here: {what}")
    text, data = shown[:2]
    assert f"me      cpu     nothing: {what}" in text
    (worker,) = json.loads(data)["workers"]
    assert worker["name"] == "me" and worker["refused"].startswith(what) and seen[0] == {}
    with closing(sqlite3.connect(tmp_path / "d.db")) as connection:
        assert connection.execute("SELECT state, worker FROM stacks WHERE stack = 0").fetchone()[0] == "offered"


def test_a_sweep_that_nobody_has_measured_goes_on_anywhere(quiet, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "PATIENCE_S", 0.0)

    class Leaves(Watcher):
        def trouble(self, line: str) -> None:
            assert line == "no worker has been seen for 0 s; start one with: decaybench work"
            os.kill(os.getpid(), signal.SIGTERM)

    sweep, database = Sweep.from_mapping(tomllib.loads(ONE), "sweep.toml"), tmp_path / "d.db"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, url=f"sqlite:///{database}", data_root=None, executor="work", watcher=Leaves())
    with pytest.raises(SystemExit) as end:
        main(["status", "small", "--storage", f"sqlite:///{database}"])
    assert end.value.code == 0
    train(ONE, database)
    assert results(database) == results(quiet)


def test_a_local_sweep_is_not_for_other_workers(quiet, tmp_path, monkeypatch):
    url = offered_anew(quiet, tmp_path / "d.db", "'$.platform', ''")
    with closing(sqlite3.connect(tmp_path / "d.db")) as connection:
        connection.execute("UPDATE stacks SET public = 0")
        connection.commit()
    monkeypatch.setattr(plain, "POLL_S", 0.01)
    lines: list[str] = []
    run_worker(url=url, data_root=None, idle=0.05, say=lines.append)
    assert len(lines) == 2 and held(tmp_path / "d.db") == {}  # that it has begun, and left


def test_the_jobs_of_a_cluster_give_the_numbers_of_one_process(quiet, tmp_path, monkeypatch):
    """Threads stand for SLURM's jobs, so this is also that of a process that is called twice at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECAYBENCH_STORAGE", f"sqlite:///{tmp_path / 'd.db'}")
    monkeypatch.setattr(slurm, "_pool", lambda workers, folder: ThreadPoolExecutor(workers))
    assert drive(tmp_path / "d.db", executor="slurm", workers=2) == []
    assert without_stacks(tmp_path / "d.db") == without_stacks(quiet)
    assert not list(tmp_path.glob(".decaybench-slurm-*"))


def test_a_worker_without_the_databases_url_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DECAYBENCH_STORAGE", "sqlite:///d.db")

    def pool(workers: int, folder: str) -> ThreadPoolExecutor:
        monkeypatch.delenv("DECAYBENCH_STORAGE")
        return ThreadPoolExecutor(workers)

    monkeypatch.setattr(slurm, "_pool", pool)
    with pytest.raises(MachineError, match="DECAYBENCH_STORAGE in its environment: set it to the database's URL"):
        drive(tmp_path / "d.db", executor="slurm", workers=1)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"executor": "ray"}, "--executor: must be one of local, work, dask, slurm, got 'ray'"),
        ({"executor": "dask"}, "--scheduler: --executor dask needs the address of a Dask scheduler"),
        ({"scheduler": "tcp://h:1"}, "--scheduler: is for --executor dask only, got 'tcp://h:1' with --executor local"),
        ({"executor": "work", "device": "cuda"}, "--device: must be auto with --executor work"),
        ({"executor": "slurm", "workers": None}, "--workers: must say how many jobs SLURM may run at once"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, monkeypatch, how, why):
    for name in ("SLURM_JOB_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=why):
        drive(tmp_path / "d.db", **how)


def test_what_another_thread_draws_is_not_taken_for_the_models(monkeypatch):
    """The threads of a Dask worker draw from Python's random, which a model that is called must not."""
    whole, calls = seeds.states, itertools.count(1)

    def states(*device):
        if next(calls) in (2, 4):  # what is read after the first call and after the second
            random.random()
        return whole(*device)

    monkeypatch.setattr(seeds, "states", states)
    assert trace(build("small-cnn", (1, 8, 8), 3, 0), (1, 8, 8), training=True)
    assert next(calls) > 6, "the calls that were disturbed are made again"
