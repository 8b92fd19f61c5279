"""Rates are values: an event makes others of them, and what was there stays."""

import math

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, trace
from decaybench.schedules.checkpoint import pack, unpack
from decaybench.schedules.rates import Rates


def test_an_event_leaves_the_value_before_it_as_it_was():
    begun = Rates.begin(SCHEDULES["exp_loss"](), (0.1, 0.0, 0.3), 10, 5)
    seen = begun.observed(2.0)
    later = seen.at(3)
    assert begun.now() == [0.1, 0.0, 0.3]
    assert seen.now() == later.now() == pytest.approx([0.1 * math.exp(2), 0.0, 0.3 * math.exp(2)])
    assert (begun.step, begun.observations, later.step, later.observations) == (0, 0, 3, 1)
    with pytest.raises(
        RuntimeError, match=r"^exp_loss reacts to the loss: call observe\(loss\) before optimizer.step\(\)$"
    ):
        begun.at(1)
    assert begun.at(0).now() == begun.now()


def test_a_fixed_schedule_observes_nothing_and_has_its_trace():
    rates = Rates.begin(SCHEDULES["cosine"](floor=0.1, warmup=3), (0.5,), 20, 5)
    assert rates.observed(3.0) is rates
    expected = 0.5 * trace(SCHEDULES["cosine"](floor=0.1, warmup=3), 20, 5)
    assert [rates.at(t).now()[0] for t in range(20)] == expected.tolist()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_an_update_that_is_not_finite_is_counted_and_changes_nothing(loss):
    rates = Rates.begin(SCHEDULES["loss_ratio"](power=1.0), (0.5,), 20, 5).observed(2.0).observed(1.0)
    after = rates.observed(loss)
    assert after.state is rates.state
    assert after.observations == 3
    plateau = Rates.begin(SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0), (0.5,), 20, 5)
    assert plateau.observed(1.0).observed(math.nan).now() == [0.25]  # as torch does


def test_it_comes_back_from_plain_data():
    rates = Rates.begin(SCHEDULES["bold_driver"](up=1.5, down=0.5), (0.5, 0.0), 20, 5)
    rates = rates.observed(2.0).observed(1.0).at(7)
    saved = pack(rates)
    again = unpack(Rates.begin(rates.schedule, (9.0, 9.0), 20, 5), saved | {"mine": None})
    assert again.now() == rates.now() == [0.75, 0.0]
    assert again.observed(0.5).at(8).now() == rates.observed(0.5).at(8).now()
    assert pack(again)["base_lrs"] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("kind", "fields", "plain"),
    [
        (
            "multi_step",
            {"milestones": np.array([30, 60]), "gamma": np.float32(0.5)},
            {"milestones": (30, 60), "gamma": 0.5},
        ),
        (
            "multi_step",
            {"milestones": torch.tensor([30, 60]), "gamma": torch.tensor(0.5)},
            {"milestones": (30, 60), "gamma": 0.5},
        ),
        (
            "multi_step",
            {"milestones": [np.int64(3), torch.tensor(6)], "gamma": 0.5},
            {"milestones": (3, 6), "gamma": 0.5},
        ),
        ("multi_step", {"milestones": [30], "gamma": np.array([0.25])}, {"milestones": (30,), "gamma": (0.25,)}),
        ("step_decay", {"drop": np.float64(0.5), "epochs_drop": np.int32(3)}, {"drop": 0.5, "epochs_drop": 3}),
        (
            "exponential",
            {"decay_rate": 0.5, "decay_steps": torch.tensor(7), "staircase": np.True_},
            {"decay_rate": 0.5, "decay_steps": 7, "staircase": True},
        ),
        ("linear", {"warmup": np.array(5)}, {"warmup": 5}),
    ],
)
def test_fields_may_be_numbers_of_numpy_and_torch(kind, fields, plain):
    assert SCHEDULES[kind](**fields) == SCHEDULES[kind](**plain)
    rates = Rates.begin(SCHEDULES[kind](**fields), (1.0,), np.int64(40), np.int64(5))
    assert rates.at(21).now() == Rates.begin(SCHEDULES[kind](**plain), (1.0,), 40, 5).at(21).now()
    assert unpack(rates, pack(Rates.begin(SCHEDULES[kind](**plain), (1.0,), 40, 5)))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("multi_step", {"milestones": np.array([60, 30])}),
        ("multi_step", {"milestones": np.array([[30, 60]])}),
        ("multi_step", {"milestones": np.array([])}),
        ("multi_step", {"milestones": "30"}),
        ("step_decay", {"drop": np.array([0.5])}),
        ("step_decay", {"drop": np.float32(1.5)}),
        ("step_decay", {"drop": torch.tensor(True)}),
        ("reduce_on_plateau", {"patience": np.float64(1.5)}),
        ("exponential", {"staircase": np.int64(1)}),
    ],
)
def test_other_arrays_are_refused_in_one_line(kind, fields):
    (name,) = fields
    with pytest.raises(ValueError, match=rf"^\w+\.{name} must be .*, got ") as raised:
        SCHEDULES[kind](**fields)
    assert "\n" not in str(raised.value)
