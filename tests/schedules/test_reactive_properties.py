"""Every reactive kind over its whole domain, whatever it observes: finite and not negative."""

import dataclasses

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decaybench.schedules import SCHEDULES, trace
from schedules.test_fixed_properties import numbers

REACTIVE = [kind for kind, cls in SCHEDULES.items() if cls.family == "reactive" and "decaybench" in cls.__module__]


@pytest.mark.parametrize("examples", [100, pytest.param(300, marks=pytest.mark.soak)])
def test_over_the_whole_domain_scales_are_finite_and_not_negative(examples):
    @settings(max_examples=examples, deadline=None)
    @given(data=st.data())
    def holds(data):
        cls = SCHEDULES[data.draw(st.sampled_from(REACTIVE))]
        own = {name: data.draw(st.sampled_from(legal)) for name, legal in cls.options().items()}
        for spec in dataclasses.fields(cls):
            if spec.name not in own:
                own[spec.name] = data.draw(numbers(spec.metadata["domain"]))
        try:
            schedule = cls(**own)
        except ValueError:
            assume(False)
        B = data.draw(st.integers(1, 5))
        T = B * data.draw(st.integers(1, 6))
        n = T if schedule.when == "update" else T // B
        shown = data.draw(st.lists(st.floats(width=32), min_size=n, max_size=n))
        values = st.lists(st.floats(width=32), min_size=T, max_size=T)
        products = {name: data.draw(values) for name in schedule.observes}
        base_lr = data.draw(st.floats(1e-8, 1e3))
        scales = trace(schedule, T, B, shown, base_lr=base_lr, products=products)
        assert torch.isfinite(scales).all() and (scales >= 0).all(), (schedule, scales)

    holds()


def test_one_batch_without_loss_stops_polyak_for_that_update_only():
    losses, norms = [1.0, 0.0, 1.0, 1.0], {"grad_norm_sq": [1.0] * 4}
    scales = trace(SCHEDULES["polyak"](c=1.0), 4, 1, losses, products=norms).tolist()
    assert scales[1] == 0 and min(scales[2:]) > 0.99


def test_a_broken_batch_is_not_remembered():
    nan = float("nan")
    l4 = trace(SCHEDULES["l4"](alpha=0.1), 4, 1, [1.0, nan, 1.0, 1.0], products={"grad_dot_direction": [1.0] * 4})
    assert l4[1] == 0 and (l4[2:] > 0).all()
    for kind, own in (("exp_loss_relative", {"gain": 1.0}), ("loss_ratio", {"power": 1.0})):
        scales = trace(SCHEDULES[kind](**own), 3, 1, [nan, 2.0, 1.0])
        assert scales[:2].tolist() == [1, 1] and scales[2] < 1
