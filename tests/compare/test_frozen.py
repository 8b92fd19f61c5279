"""What rliable and statsmodels gave, frozen in rliable.json by tests/freeze_rliable.py."""

import json
from pathlib import Path

import numpy as np
import pytest

from decaybench.compare import Trials, performance_profile
from decaybench.compare.pooled import p_better
from decaybench.compare.significance import holm

FROZEN = json.loads((Path(__file__).parent / "rliable.json").read_text())
TAU = FROZEN["tau"]


def close(values):
    return pytest.approx(np.asarray(values), rel=1e-12, abs=1e-12)


def single(results) -> Trials:
    """Searches of one trial each: then P is rliable's probability of improvement."""
    values = np.array(results)[:, None]
    return Trials(values, -values, values, "independent")


@pytest.mark.parametrize("case", FROZEN["improvement"])
def test_p_better_of_single_trials(case):
    assert p_better(single(case["a"]), single(case["b"])) == close(case["probability"])
    assert p_better(single(case["b"]), single(case["a"])) == close(1 - case["probability"])


@pytest.mark.parametrize("case", FROZEN["profiles"])
def test_profiles(case):
    values = np.array(case["values"])
    assert performance_profile(values, TAU) == close(case["rho"])
    assert performance_profile(-values, TAU, lower_is_better=True) == close(case["rho"])


@pytest.mark.parametrize("case", FROZEN["holm"])
def test_holm(case):
    assert holm(case["p"]) == close(case["adjusted"])
