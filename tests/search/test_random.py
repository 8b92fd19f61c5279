"""The random sampler: paired like sobol, uniform instead of even, and Optuna's own suite."""

import numpy as np
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase

from decaybench.search import BalancedSampler, Slot, point
from search.test_sampler import NARROW, RATE, SPACES, unit


class TestOptunasOwnSuite(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> "type[BaseSampler]":
        return lambda: BalancedSampler(SPACES, seed=0, points="random")


def rates(slots: int) -> np.ndarray:
    drawn = [point(3, 0, "constant", i, SPACES["constant"], "random")["learning_rate"] for i in range(slots)]
    return np.array([unit(rate, RATE.range) for rate in drawn])


def test_slots_are_paired_on_shared_parameters():
    for slot in range(20):
        points = {label: point(7, 1, label, slot, space, "random") for label, space in SPACES.items()}
        drawn = {label: p["learning_rate"] for label, p in points.items()}
        assert drawn["constant"] == drawn["staircase"] == drawn["mixed"]
        assert unit(drawn["exp_loss"], NARROW.range) == pytest.approx(unit(drawn["constant"], RATE.range))
        assert points["staircase"]["one_minus_momentum"] == points["twin"]["one_minus_momentum"]
        assert points["staircase"]["staircase.decay_rate"] != points["twin"]["twin.decay_rate"]


def test_points_are_pure_and_other_than_sobols():
    sampler = BalancedSampler(SPACES, 0, "random")
    slots = [Slot("", "mixed", 1, i, 1.0, 0) for i in range(30)]
    first = [sampler.propose(slot, []) for slot in slots]
    assert [sampler.propose(slot, []) for slot in reversed(slots)] == first[::-1]
    assert first == [point(0, 1, "mixed", i, SPACES["mixed"], "random") for i in range(30)]
    assert first[3] != point(0, 1, "mixed", 3, SPACES["mixed"])
    assert first[3] != point(0, 2, "mixed", 3, SPACES["mixed"], "random")
    assert first[3] != point(1, 1, "mixed", 3, SPACES["mixed"], "random")


def test_points_are_uniform_and_independent():
    u = rates(400)
    assert abs(u.mean() - 0.5) < 0.05
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.15
    assert len(set((16 * u[:16]).astype(int))) < 16  # sobol's first 16 fill 16 cells
