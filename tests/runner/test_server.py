"""A whole sweep on a PostgreSQL server: the same numbers as in a file."""

import tomllib

from decaybench import store
from decaybench.runner import audit, run_sweep
from decaybench.search import read_study
from decaybench.sweep import Sweep
from small_sweep import SMALL

TINY = (
    SMALL.replace("epochs = 3", "epochs = 1").replace("trials = 4", "trials = 2").replace("repeats = 2", "repeats = 1")
)


def test_a_sweep_on_a_server_is_that_in_a_file(tmp_path, postgres_url):
    sweep = Sweep.from_mapping(tomllib.loads(TINY), "s.toml")
    frames = []
    for url in (f"sqlite:///{tmp_path}/d.db", postgres_url):
        assert run_sweep(sweep, url=url, data_root=None)
        assert not run_sweep(sweep, url=url, data_root=None)
        with store.open_storage(url, create=False) as opened:
            kept = store.load(opened, "small")
            stored = store.frames(kept)
            assert not audit(stored, kept.runs, kept.looks, read_study(opened.url, "small"))
        frames.append(stored.runs.drop(columns=["started_at", "finished_at"]))
    assert frames[0].equals(frames[1])
