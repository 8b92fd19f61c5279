"""What every kind in SCHEDULES must do, those that other packages add included."""

import dataclasses
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decaybench.schedules import SCHEDULES, Bank, Clock, Observation, Range, Schedule, TorchScheduler, trace
from decaybench.schedules.bank import stack
from decaybench.schedules.base import PRODUCTS
from schedules.samples import draw, losses, products

KINDS = pytest.mark.parametrize("kind", sorted(SCHEDULES))
T, B = 60, 5


@KINDS
def test_a_kind_is_a_frozen_dataclass_with_its_name(kind):
    cls = SCHEDULES[kind]
    assert cls.kind == kind
    assert cls.family in ("fixed", "reactive")
    assert cls.__dataclass_params__.frozen
    assert cls.parameters()[-2:] == ("warmup", "warmup_start")


@KINDS
def test_the_docstring_has_formula_and_source(kind):
    doc = SCHEDULES[kind].__doc__
    assert re.match(r"scale = ", doc)
    assert "Source: " in doc


@KINDS
@pytest.mark.parametrize("seed", range(6))
def test_scales_are_finite_and_not_negative(kind, seed):
    schedule = draw(kind, seed, T, B)
    scales = trace(schedule, T, B, losses(schedule, seed, T, B), products=products(schedule, seed, T))
    assert scales.shape == (T,)
    assert torch.isfinite(scales).all()
    assert (scales >= 0).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_scales_are_finite_whatever_is_drawn_and_observed(data):
    kind = data.draw(st.sampled_from(sorted(SCHEDULES)))
    steps_per_epoch = data.draw(st.integers(1, 9))
    total = steps_per_epoch * data.draw(st.integers(1, 12))
    schedule = draw(kind, 2 * data.draw(st.integers(0, 10**6)), total, steps_per_epoch)
    schedule = dataclasses.replace(
        schedule, warmup=data.draw(st.floats(0, total)), warmup_start=data.draw(st.integers(0, 1))
    )
    shown = losses(schedule, 0, total, steps_per_epoch)
    if shown is not None:
        shown = data.draw(st.lists(st.floats(width=32), min_size=len(shown), max_size=len(shown)))
    measured = {
        name: data.draw(st.lists(st.floats(width=32), min_size=total, max_size=total))
        for name in getattr(schedule, "observes", ())
    }
    scales = trace(schedule, total, steps_per_epoch, shown, products=measured)
    assert torch.isfinite(scales).all()
    assert (scales >= 0).all()


@KINDS
def test_past_the_end_the_end_is_held(kind):
    schedule = draw(kind, 1, T, B)
    state = schedule.init(1, torch.ones(1, dtype=torch.float64))
    at_end, later = (schedule.scale(state, Clock(t, B, T)) for t in (T, 3 * T))
    assert at_end.equal(later)


@KINDS
def test_k_at_once_equal_k_singles(kind):
    first = draw(kind, 0, T, B)
    chosen = {name: getattr(first, name) for name in first.options()}
    schedules = [draw(kind, seed, T, B, **chosen) for seed in range(7)]
    together = stack(schedules)
    base = torch.linspace(0.01, 1.0, 7, dtype=torch.float64)
    state, singles = together.init(7, base), [s.init(1, base[i : i + 1]) for i, s in enumerate(schedules)]
    generator = torch.Generator().manual_seed(0)
    for t in range(T):
        loss = torch.rand(7, dtype=torch.float64, generator=generator)
        if t % B == 0:
            measured = {name: torch.rand(7, dtype=torch.float64, generator=generator) for name in PRODUCTS}
            state = together.observe(state, Observation(loss, measured, B))
            singles = [
                s.observe(single, Observation(loss[i : i + 1], {n: v[i : i + 1] for n, v in measured.items()}, B))
                for i, (s, single) in enumerate(zip(schedules, singles, strict=True))
            ]
        clock = Clock(t, B, T)
        expected = torch.cat([s.scale(single, clock) for s, single in zip(schedules, singles, strict=True)])
        torch.testing.assert_close(together.scale(state, clock), expected, rtol=1e-12, atol=1e-15)


@KINDS
@pytest.mark.parametrize("seed", range(4))
def test_the_adapter_gives_the_direct_trace(kind, seed):
    schedule = draw(kind, seed, T, B)
    shown = losses(schedule, seed, T, B)
    generator = torch.Generator().manual_seed(seed)
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=0.25)
    adapter = TorchScheduler(optimizer, schedule, T, B)
    rates, gradients = [], []
    for t in range(T):
        gradients.append(torch.randn(2, dtype=torch.float64, generator=generator))
        parameter.grad = gradients[-1].clone()
        if shown is not None and schedule.when == "update":
            adapter.observe(shown[t])
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        adapter.step()
        if shown is not None and schedule.when == "epoch" and (t + 1) % B == 0:
            adapter.observe(torch.tensor(shown[t // B], dtype=torch.float64, requires_grad=True))
    g = torch.stack(gradients)
    earlier = torch.cat([torch.zeros(1, 2), g[:-1]])  # without momentum the direction is the gradient
    measured = {"grad_norm_sq": g * g, "grad_dot_direction": g * g, "grad_dot_previous": g * earlier}
    measured = {name: measured[name].sum(1) for name in getattr(schedule, "observes", ())}
    expected = 0.25 * trace(schedule, T, B, shown, base_lr=0.25, products=measured)
    assert rates == pytest.approx(expected.tolist(), rel=1e-12, abs=0)


@KINDS
def test_search_ranges_lie_inside_the_domain(kind):
    cls = SCHEDULES[kind]
    for epochs in (1, 10, 200):
        for name in cls.parameters():
            searched = cls.range_of(name, epochs=epochs)
            if searched is None:
                default = next(f.default for f in dataclasses.fields(cls) if f.name == name)
                assert default is not dataclasses.MISSING
                continue
            searched.check()
            assert searched.native == cls.native_unit(name, {})
            assert searched.unit == cls.range_unit(name, {})
            for u in (0.0, 0.25, 0.5, 0.75, math.nextafter(1.0, 0.0)):
                value = searched.at([u] * searched.dims)
                native = searched.to_native(value, total_steps=epochs * B, steps_per_epoch=B)
                cls(**{name: native})  # raises if it is outside


@KINDS
def test_bad_values_raise_one_line_with_class_field_rule_and_value(kind):
    cls = SCHEDULES[kind]
    for name in cls.parameters():
        legal = cls.options().get(name)
        rule = "one of" if legal is not None else "(a whole number )?in"
        bad = ["no such value", 17] if legal is not None else ["high", True, None, math.nan, math.inf, -1.0, [[1]]]
        for value in bad:
            with pytest.raises(ValueError, match=rf"^{cls.__name__}\.{name} must be {rule} .*, got ") as raised:
                cls(**{name: value})
            assert "\n" not in str(raised.value)


@KINDS
def test_a_range_is_refused_where_it_is_used(kind):
    cls = SCHEDULES[kind]
    schedule = cls(warmup=Range(0.01, 0.1, unit="run", native="update"))
    assert not schedule.resolved
    one, message = torch.ones(1, dtype=torch.float64), rf"^{cls.__name__}\.\w+ has no value"
    for use in (
        lambda: trace(schedule, T, B, [1.0] * T),
        lambda: schedule.init(1, one),
        lambda: Bank([schedule], one, T, B),
        lambda: TorchScheduler(torch.optim.SGD([torch.nn.Parameter(one)], lr=0.1), schedule, T, B),
    ):
        with pytest.raises(ValueError, match=message):
            use()


@KINDS
def test_unknown_parameters_are_named(kind):
    with pytest.raises(ValueError, match=f"{kind} has no parameter 'speed'"):
        SCHEDULES[kind].native_unit("speed", {})


@KINDS
def test_losses_must_be_there_and_fit(kind):
    schedule = draw(kind, 0, T, B)
    if schedule.family == "fixed":
        assert trace(schedule, T, B, [1.0]).equal(trace(schedule, T, B))
        return
    n = T if schedule.when == "update" else T // B
    with pytest.raises(ValueError, match=rf"^{kind} reacts to .* losses must be \({n},\), got none"):
        trace(schedule, T, B)
    with pytest.raises(ValueError, match=rf"losses must be \({n},\), got \({n + 1},\)"):
        trace(schedule, T, B, [1.0] * (n + 1))
    for name in schedule.observes:
        with pytest.raises(ValueError, match=rf"^{kind} observes {name}: products\['{name}'\] must be .*, got none"):
            trace(schedule, T, B, [1.0] * n)
        with pytest.raises(ValueError, match=rf"must be \({T},\), got \(1,\)"):
            trace(schedule, T, B, [1.0] * n, products={name: [1.0]})


def test_domains_of_single_fields():
    for kind, values, message in [
        ("exponential", {"decay_rate": 1.3}, r"Exponential.decay_rate must be in \(0, 1\], got 1.3"),
        ("exponential", {"decay_rate": 0}, r"Exponential.decay_rate must be in \(0, 1\], got 0"),
        ("exponential", {"decay_steps": 0}, r"Exponential.decay_steps must be in \(0, inf\), got 0"),
        ("exponential", {"staircase": 1}, "Exponential.staircase must be one of False, True, got 1"),
        ("time_based", {"per": "step"}, "TimeBased.per must be one of 'update', 'epoch', got 'step'"),
        ("multi_step", {"milestones": [3, 1]}, r"MultiStep.milestones must be sorted, got \(3, 1\)"),
        ("multi_step", {"milestones": []}, "MultiStep.milestones must be"),
        ("multi_step", {"milestones": [1, -2]}, r"MultiStep.milestones must be in \[0, inf\)"),
        (
            "multi_step",
            {"milestones": [1], "gamma": [0.1, 0.2]},
            "MultiStep.gamma must be one number or one per",
        ),
        (
            "multi_step",
            {"milestones": [1, 2], "gamma": [0.1]},
            "MultiStep.gamma must be one number or one per",
        ),
        ("cosine", {"floor": [0.1]}, r"Cosine.floor must be in \[0, 1\], got \(0.1,\)"),
        ("cosine", {"floor": torch.tensor([0.1, 1.1])}, r"Cosine.floor must be in \[0, 1\], got tensor"),
        ("reduce_on_plateau", {"patience": 2.5}, "patience must be a whole number in"),
        ("reduce_on_plateau", {"patience": Range(1, 3)}, "patience must be a whole number .* without int"),
        ("exponential", {"decay_rate": Range(0.5, 1.5)}, r"decay_rate must be in \(0, 1\], got 1.5"),
        (
            "exponential",
            {"decay_rate": Range(0.5, 0.1)},
            r"Exponential.decay_rate: low must not be above high",
        ),
        (
            "exponential",
            {"staircase": Range(choices=(True, "x"))},
            "staircase must be one of False, True, got 'x'",
        ),
        ("exponential", {"staircase": Range(0, 1)}, "staircase must be one of False, True"),
    ]:
        with pytest.raises(ValueError, match=message):
            SCHEDULES[kind](**values)


def test_patience_is_searched_up_to_a_fifth_of_the_epochs():
    patience = [SCHEDULES["reduce_on_plateau"].range_of("patience", epochs=e).high for e in (5, 15, 50, 99)]
    assert patience == [3, 3, 10, 19]


def test_native_units_follow_the_options():
    cls = SCHEDULES["time_based"]
    assert cls.native_unit("decay", {}) == cls.range_of("decay", epochs=3).native == "1/update"
    assert cls.native_unit("decay", {"per": "epoch"}) == "1/epoch"
    assert cls.range_of("decay", epochs=3, options={"per": "epoch"}).native == "1/epoch"
    assert SCHEDULES["step_decay"].native_unit("epochs_drop", {}) == "epoch"
    assert cls.native_unit("warmup", {}) == "update"
    assert cls.range_unit("warmup", {}) == "run"


def test_options_may_be_searched():
    schedule = SCHEDULES["exponential"](0.5, 4, staircase=Range(choices=(True, False)))
    assert not schedule.resolved
    assert isinstance(schedule, Schedule)
