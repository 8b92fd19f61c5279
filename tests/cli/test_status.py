"""``decaybench status`` is asked again and again, so it must answer at once."""

import subprocess
import sys

from decaybench import store


def test_status_loads_nothing_that_trains_or_draws(tmp_path):
    url = f"sqlite:///{tmp_path}/empty.db"
    store.open_storage(url, create=True)
    code = """
import sys
from decaybench.cli import main
try:
    main(["status", "--storage", sys.argv[1]])
except SystemExit as end:
    assert end.code == 0
heavy = {"torch", "pandas", "matplotlib", "optuna", "scipy", "sklearn", "numpy", "decaybench.api"}
print(sorted(heavy & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_the_database_is_the_one_given_or_the_environments(monkeypatch):
    monkeypatch.delenv("DECAYBENCH_STORAGE", raising=False)
    assert store.storage_url(None) == store.DEFAULT_STORAGE
    monkeypatch.setenv("DECAYBENCH_STORAGE", "sqlite:///theirs.db")
    assert store.storage_url(None) == "sqlite:///theirs.db"
    assert store.storage_url("sqlite:///given.db") == "sqlite:///given.db"
