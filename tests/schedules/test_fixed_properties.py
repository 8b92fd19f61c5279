"""Every fixed kind over its whole domain: finite, not negative, and with the start and the end that it promises."""

import dataclasses
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decaybench.schedules import SCHEDULES, Clock, Range
from decaybench.schedules.bank import stack
from decaybench.schedules.domain import Domain

FIXED = [kind for kind, cls in SCHEDULES.items() if cls.family == "fixed" and "decaybench" in cls.__module__]


def one(s, T, E):
    return 1.0


def passed(s, E):
    """Gamma over the milestones that are passed in epoch E."""
    gammas = s.gamma if isinstance(s.gamma, tuple) else [s.gamma] * len(s.milestones)
    return math.prod(gamma for time, gamma in zip(s.milestones, gammas, strict=True) if time <= E)


def stairs(s, n):
    return np.floor(n) if s.staircase else n


# kind: (scale at update 0, scale at T and ever after), without warmup. s: the schedule, T: updates, E: whole epochs in T.
ENDS = {
    "constant": (one, one),
    "time_based": (one, lambda s, T, E: 1 / (1 + s.decay * (T if s.per == "update" else E))),
    "inverse_time": (
        one,
        lambda s, T, E: 1 / (1 + s.decay_rate * stairs(s, np.minimum(T / s.decay_steps, np.finfo(float).max))),
    ),
    "inv": (one, lambda s, T, E: (1 + s.gamma * T) ** -s.power),
    "step_decay": (
        lambda s, T, E: s.drop ** np.floor(s.offset / s.epochs_drop),
        lambda s, T, E: s.drop ** np.floor((E + s.offset) / s.epochs_drop),
    ),
    "multi_step": (lambda s, T, E: passed(s, 0), lambda s, T, E: passed(s, E)),
    "exponential": (one, lambda s, T, E: s.decay_rate ** stairs(s, T / s.decay_steps)),
    "polynomial": (one, lambda s, T, E: s.end if s.power > 0 else 1),
    "linear": (one, lambda s, T, E: s.end),
    "cosine": (one, lambda s, T, E: s.floor),
    "cosine_restarts": (one, lambda s, T, E: s.floor),
    "one_cycle": (
        lambda s, T, E: 1 / s.div,
        lambda s, T, E: 1 / s.div if s.phases == 3 and (s.pct_down or 2 * s.pct) == 1 else 1 / s.div / s.final_div,
    ),
    "triangular": (lambda s, T, E: s.low, lambda s, T, E: s.low),
    "wsd": (one, lambda s, T, E: 0.0),
    "rex": (one, lambda s, T, E: 0.0),
    "inverse_sqrt": (one, lambda s, T, E: (s.timescale / np.maximum(T, s.timescale)) ** 0.5),
    "noam": (
        lambda s, T, E: np.minimum((1 / s.warmup_steps) ** -0.5, 1 / s.warmup_steps),
        lambda s, T, E: np.minimum(((T + 1) / s.warmup_steps) ** -0.5, (T + 1) / s.warmup_steps),
    ),
}


def test_the_table_has_every_fixed_kind():
    assert list(ENDS) == FIXED


def numbers(notation):
    """Any number of a domain, its ends and its extremes among them."""
    domain = Domain.parse(notation)
    low, high = domain.low, domain.high
    if domain.whole:
        far = int(min(high, sys.float_info.max))
        return st.integers(int(low), min(int(low) + 9, far)) | st.integers(int(low), far) | st.just(far)
    return st.floats(low, high, exclude_min=domain.open_low, exclude_max=domain.open_high)


@st.composite
def schedules(draw, kind):
    """A schedule of ``kind`` with fields anywhere legal, without warmup."""
    cls, values = SCHEDULES[kind], {}
    for spec in dataclasses.fields(cls):
        if spec.name in cls.options():
            values[spec.name] = draw(st.sampled_from(cls.options()[spec.name]))
        elif spec.name == "milestones":
            values["milestones"] = sorted(
                draw(st.lists(numbers("[0, inf)") | st.integers(0, 50), min_size=1, max_size=4))
            )
        elif kind == "multi_step" and spec.name == "gamma":
            count = len(values["milestones"])
            values["gamma"] = draw(numbers("(0, 1]") | st.lists(numbers("(0, 1]"), min_size=count, max_size=count))
        elif spec.name not in ("warmup", "warmup_start"):
            values[spec.name] = draw(numbers(spec.metadata["domain"]))
    if kind == "one_cycle" and values["phases"] == 3:
        above = st.floats(values["pct"], 1, exclude_min=True)
        values["pct_down"] = draw(above | st.just(0.0) if values["pct"] <= 0.5 else above)
    return cls(**values)


def scales(schedule, steps, total, per_epoch):
    """The scales at ``steps``, as a bank computes them."""
    wide = stack([schedule] * len(steps))
    state = wide.init(len(steps), torch.ones(len(steps), dtype=torch.float64))
    return wide.scale(state, Clock(torch.tensor(steps, dtype=torch.float64), per_epoch, total))


LENGTHS = st.integers(1, 60) | st.integers(1, 10**7)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("examples", [40, pytest.param(150, marks=pytest.mark.soak)])
def test_finite_not_negative_and_with_its_start_and_end(kind, examples):
    @settings(max_examples=examples, deadline=None)
    @given(data=st.data())
    def holds(data):
        schedule, total, per_epoch = data.draw(schedules(kind)), data.draw(LENGTHS), data.draw(LENGTHS)
        between = data.draw(st.lists(st.integers(0, total), max_size=12))
        found = scales(schedule, [0, total, total + 7, *between, total - 1], total, per_epoch)
        assert torch.isfinite(found).all()
        assert (found >= 0).all()
        # As numpy's numbers, which overflow to infinity where Python's raise.
        numeric = {name: np.float64(value) for name, value in vars(schedule).items() if isinstance(value, (int, float))}
        with np.errstate(over="ignore", divide="ignore"):
            s = SimpleNamespace(**vars(schedule) | numeric)
            start, end = (float(at(s, np.float64(total), total // per_epoch)) for at in ENDS[kind])
        assert found[:3].tolist() == pytest.approx([start, end, end], rel=1e-9, abs=1e-15)

    holds()


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("examples", [20, pytest.param(60, marks=pytest.mark.soak)])
def test_after_a_warmup_the_schedule_is_that_of_the_rest_of_the_run(kind, examples):
    @settings(max_examples=examples, deadline=None)
    @given(data=st.data())
    def holds(data):
        plain, total, per_epoch = data.draw(schedules(kind)), data.draw(LENGTHS), data.draw(LENGTHS)
        length = data.draw(st.integers(1, total) | numbers("[1, inf)"))
        start_at = data.draw(st.integers(0, 1))
        warm = dataclasses.replace(plain, warmup=length, warmup_start=start_at)
        length = round(length)
        found = scales(warm, [0, total - 1, total, min(length, total)], total, per_epoch)
        assert torch.isfinite(found).all()
        assert (found >= 0).all()
        begin = scales(plain, [0], max(total - length, 1), per_epoch)
        assert found[0].item() == pytest.approx(begin.item() * start_at / length, rel=1e-12, abs=0)
        if length < total:
            left = total - length
            assert found[1:].equal(scales(plain, [left - 1, left, 0], left, per_epoch))
        else:  # it never gets there
            over = min((total + start_at) / length, 1.0) if total < length else 1.0
            assert found[2].item() == pytest.approx(begin.item() * over, rel=1e-12, abs=0)

    holds()


@settings(max_examples=200, deadline=None)
@given(first=st.integers(1, 2000), mult=st.integers(1, 10), cycles=st.integers(1, 100))
def test_a_cycle_begins_with_its_peak_exactly(first, mult, cycles):
    while first * sum(mult**i for i in range(cycles)) > 10**7:
        cycles -= 1
    begins = [first * sum(mult**j for j in range(i)) for i in range(cycles + 1)]
    total = begins.pop()
    schedule = SCHEDULES["cosine_restarts"](cycles, mult, decay=0.75)
    found = scales(schedule, begins, total, 1)
    assert found.tolist() == pytest.approx([0.75**i for i in range(cycles)], rel=1e-13)
    lasts = [begin - 1 for begin in [*begins[1:], total]]  # a cycle's last update is 1/length from its end
    expected = [0.75**i * math.sin(math.pi / 2 / (first * mult**i)) ** 2 for i in range(cycles)]
    assert scales(schedule, lasts, total, 1).tolist() == pytest.approx(expected, rel=1e-6, abs=1e-15)


@settings(max_examples=100, deadline=None)
@given(half=st.integers(1, 5000), cycles=st.integers(1, 10000))
def test_a_triangle_begins_at_low_and_is_at_its_peak_half_way_exactly(half, cycles):
    total = 2 * half * cycles
    schedule = SCHEDULES["triangular"](cycles, 0.25, gamma=0.999, per="cycle")
    some = sorted({0, cycles // 3, cycles // 2, cycles - 1})
    assert scales(schedule, [2 * half * i for i in some] + [total], total, 1).tolist() == [0.25] * (len(some) + 1)
    peaks = scales(schedule, [2 * half * i + half for i in some], total, 1)
    assert peaks.tolist() == pytest.approx([0.25 + 0.75 * 0.999**i for i in some], rel=1e-12)


BETWEEN = Range(0.1, 0.45)


@pytest.mark.parametrize(
    ("pct", "pct_down", "accepted"),
    [
        (0.3, 0.3, False),
        (0.3, 0.2, False),
        (0.3, 0.31, True),
        (0.3, 1, True),
        (0.5, 0, True),  # 0 stands for 2 * pct
        (0.51, 0, False),
        (BETWEEN, 0, True),
        (BETWEEN, 0.5, True),
        (BETWEEN, 0.45, False),
        (Range(choices=(0.1, 0.6)), 0, False),
        (Range(choices=(0.6, 0.1)), 0.7, True),
        (0.3, Range(0.2, 0.9), False),
        (0.3, Range(0.4, 0.9), True),
        (0.3, Range(0.4, 0.9, zero_or=True), True),
        (0.6, Range(0.7, 0.9, zero_or=True), False),
        (BETWEEN, Range(choices=(0, 0.4)), False),
        (BETWEEN, Range(choices=(0.5, 0)), True),
        (torch.tensor([0.3, 0.5]), torch.tensor([0.4, 0.45]), False),
        (torch.tensor([0.3, 0.5]), torch.tensor([0.4, 0.0]), True),
        (torch.tensor([0.3, 0.6]), torch.tensor([0.4, 0.0]), False),
    ],
)
@pytest.mark.parametrize("phases", [3, Range(choices=(2, 3))])
def test_three_phases_need_their_points_in_order(pct, pct_down, accepted, phases):
    one_cycle = SCHEDULES["one_cycle"]
    one_cycle(pct, pct_down, phases=2)
    if accepted:
        one_cycle(pct, pct_down, phases=phases)
        return
    with pytest.raises(
        ValueError, match=r"^OneCycle\.pct_down must be above pct \(.*\), .* with 3 phases, got "
    ) as raised:
        one_cycle(pct, pct_down, phases=phases)
    assert "\n" not in str(raised.value)
