"""Verdicts on sweeps that were really trained: nothing between equals, worse for a hopeless one."""

import pytest

from benchmarks.same import SAME, compared
from decaybench.compare.verdicts import Identical


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 3))])
def test_one_schedule_under_two_labels_is_not_better_than_itself(seed, tmp_path):
    (pair,) = compared({"one": SAME, "other": SAME}, seed, tmp_path).pairs
    assert pair.difference is not None and pair.difference.mean != 0  # other points, other winners
    assert pair.verdict not in ("better", "worse", "no verdict")


def test_identical_runs_are_equivalent(tmp_path):
    fixed = {**SAME, "decay_rate": 0.3}
    (pair,) = compared({"one": fixed, "other": fixed}, 0, tmp_path).pairs
    assert (pair.verdict, pair.reason) == ("equivalent", Identical())


def test_a_hopeless_learning_rate_is_worse(tmp_path):
    hopeless = {"schedule": "constant", "learning_rate": 1e-7}
    (pair,) = compared({"hopeless": hopeless, "decay": SAME}, 0, tmp_path).pairs
    assert pair.verdict == "worse" and pair.p_adjusted is not None and pair.p_adjusted < 0.001
