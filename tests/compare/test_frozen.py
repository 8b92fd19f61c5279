"""What rliable and statsmodels gave, frozen in rliable.json by tests/freeze_rliable.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from decaybench.compare import holm, iqm, p_better_unpaired, performance_profile, score_distribution

FROZEN = json.loads((Path(__file__).parent / "rliable.json").read_text())
TAU = FROZEN["tau"]


def close(values):
    return pytest.approx(np.asarray(values), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("case", FROZEN["runs"])
def test_runs(case):
    assert iqm(case["scores"]) == close(case["iqm"])
    assert score_distribution(case["scores"], TAU) == close(case["score_distribution"])


@pytest.mark.parametrize("case", FROZEN["improvement"])
def test_the_unpaired_p(case):
    assert p_better_unpaired(case["a"], case["b"]) == close(case["probability"])
    assert p_better_unpaired(case["b"], case["a"]) == close(1 - case["probability"])


@pytest.mark.parametrize("case", FROZEN["profiles"])
def test_profiles(case):
    values = np.array(case["values"])
    assert performance_profile(values, TAU) == close(case["rho"])
    assert performance_profile(-values, TAU, lower_is_better=True) == close(case["rho"])


@pytest.mark.parametrize("case", FROZEN["holm"])
def test_holm(case):
    assert holm(case["p"]) == close(case["adjusted"])
