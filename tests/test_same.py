"""Verdicts on sweeps that were really trained: nothing between equals, ruled out for a hopeless one."""

import pytest

from benchmarks.same import SAME, TASK, compared
from decaybench.compare import Same

QUICK = TASK | {"epochs": 2, "train_size": 320, "validation_size": 100, "test_size": 100}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 3))])
def test_one_schedule_under_two_labels_is_not_better_than_itself(seed, tmp_path):
    (pair,) = compared({"one": SAME, "other": SAME}, seed, tmp_path, task=QUICK).pairs
    assert pair.difference  # other points, other best trials
    assert pair.verdict in ("equivalent", "inconclusive")


def test_identical_runs_are_equivalent(tmp_path):
    fixed = {**SAME, "decay_rate": 0.3}
    (pair,) = compared({"one": fixed, "other": fixed}, 0, tmp_path, task=QUICK).pairs
    assert (pair.verdict, pair.reason, pair.difference, pair.error) == ("equivalent", Same(), 0, 0)


def test_a_hopeless_learning_rate_is_ruled_out_at_the_first_look(tmp_path):
    hopeless = {"schedule": "constant", "learning_rate": 1e-7}
    summary = compared({"hopeless": hopeless, "decay": SAME}, 0, tmp_path, task=QUICK)
    (pair,) = summary.pairs
    assert pair.verdict == "worse" and pair.p_adjusted is not None and pair.p_adjusted < 0.001
    assert [row.state for row in summary.rows] == ["ruled out", "good"] and len(summary.decisive.taken) == 1
