"""Our sampler: Optuna's own suite, and what a fair comparison needs beyond it."""

from dataclasses import dataclass

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.trial import TrialState, create_trial

from decaybench.schedules import Range
from decaybench.search import BalancedSampler, point
from decaybench.search.space import from_study, to_study


@dataclass(frozen=True)
class Dim:
    name: str
    range: Range
    shared: bool


RATE = Dim("learning_rate", Range(1e-3, 1.0, log=True), True)
NARROW = Dim("learning_rate", Range(1e-4, 0.1, log=True), True)
MOMENTUM = Dim("one_minus_momentum", Range(5e-3, 0.3, log=True), True)
SPACES = {
    "constant": (RATE,),
    "staircase": (RATE, MOMENTUM, Dim("staircase.decay_rate", Range(0.1, 0.9), False)),
    "exp_loss": (NARROW, Dim("exp_loss.gain", Range(0.1, 2.0, log=True), False)),
    "mixed": (
        RATE,
        Dim("mixed.floor", Range(1e-3, 0.1, log=True, zero_or=True), False),
        Dim("mixed.milestones", Range(0.3, 0.9, count=(1, 3)), False),
        Dim("mixed.gamma", Range(choices=(0.1, 0.2, 0.5)), False),
        Dim("mixed.patience", Range(1, 6, int=True), False),
    ),
    "twin": (RATE, MOMENTUM, Dim("twin.decay_rate", Range(0.1, 0.9), False)),
}


class TestOptunasOwnSuite(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> "type[BaseSampler]":
        return lambda: BalancedSampler(SPACES, seed=0)


def unit(value: float, limits: Range) -> float:
    """Where a log-uniform value lies in its range, 0 to 1."""
    import math

    return math.log(value / limits.low) / math.log(limits.high / limits.low)


def test_slots_are_paired_on_shared_parameters():
    for repeat in range(3):
        for slot in range(20):
            points = {label: point(7, repeat, label, slot, space) for label, space in SPACES.items()}
            rates = {label: p["learning_rate"] for label, p in points.items()}
            assert rates["constant"] == rates["staircase"] == rates["mixed"]
            assert points["staircase"]["one_minus_momentum"] == points["twin"]["one_minus_momentum"]
            # its own range, the same place in it
            assert unit(rates["exp_loss"], NARROW.range) == pytest.approx(unit(rates["constant"], RATE.range))
            # an own parameter has a scramble of the label's own
            assert points["staircase"]["staircase.decay_rate"] != points["twin"]["twin.decay_rate"]


def test_points_depend_on_nothing_but_seed_repeat_strategy_and_slot():
    first = [point(0, 1, "mixed", slot, SPACES["mixed"]) for slot in range(40)]
    assert [point(0, 1, "mixed", slot, SPACES["mixed"]) for slot in reversed(range(40))] == first[::-1]
    assert point(0, 2, "mixed", 3, SPACES["mixed"]) != first[3]
    assert point(1, 1, "mixed", 3, SPACES["mixed"]) != first[3]


def test_points_fill_the_space_evenly():
    """Sobol: of 16 slots each sixteenth of the learning rate's range holds exactly one."""
    cells = [
        int(16 * unit(point(3, 0, "constant", i, SPACES["constant"])["learning_rate"], RATE.range)) for i in range(16)
    ]
    assert sorted(cells) == list(range(16))


def test_shared_and_own_parameters_fill_their_plane_together():
    """A cell for every slot, or nearly: two scrambles of one Sobol coordinate would leave most of the plane empty."""
    for repeat in range(5):
        cells, quadrants = set(), [0] * 4
        for slot in range(64):
            values = point(repeat, repeat, "staircase", slot, SPACES["staircase"])
            for shared, limits in (("learning_rate", RATE.range), ("one_minus_momentum", MOMENTUM.range)):
                u, v = unit(values[shared], limits), (values["staircase.decay_rate"] - 0.1) / 0.8
                cells.add((shared, int(8 * u), int(8 * v)))
                quadrants[2 * int(2 * u) + int(2 * v)] += 1
        assert quadrants == [32] * 4
        assert len(cells) >= 100  # of 2 x 64


@pytest.mark.parametrize("label", SPACES)
def test_study_parameters_round_trip(label):
    for slot in range(50):
        values = point(5, 0, label, slot, SPACES[label])
        params, distributions = to_study(SPACES[label], values)
        assert params.keys() == distributions.keys()
        assert from_study(SPACES[label], params) == values


def test_a_trials_attributes_choose_its_point():
    sampler = BalancedSampler(SPACES, seed=4)
    study = optuna.create_study(sampler=sampler)
    trial = create_trial(state=TrialState.RUNNING, user_attrs={"strategy": "staircase", "repeat": 2, "slot": 9})
    space = sampler.infer_relative_search_space(study, trial)
    params = sampler.sample_relative(study, trial, space)
    assert params.pop("strategy") == "staircase"
    assert from_study(SPACES["staircase"], params) == point(4, 2, "staircase", 9, SPACES["staircase"])
