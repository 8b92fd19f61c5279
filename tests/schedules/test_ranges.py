import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaybench.schedules import Range, convert

LAST = math.nextafter(1.0, 0.0)  # the greatest coordinate there is
RUN = {"total_steps": 3910, "steps_per_epoch": 391}


@pytest.mark.parametrize(
    ("searched", "u", "value"),
    [
        (Range(0.1, 0.9), 0.0, 0.1),
        (Range(0.1, 0.9), 0.5, 0.5),
        (Range(1e-4, 1.0, log=True), 0.5, 1e-2),
        (Range(1, 3, int=True), 0.0, 1),
        (Range(1, 3, int=True), 1 / 3 - 1e-9, 1),
        (Range(1, 3, int=True), 1 / 3 + 1e-9, 2),
        (Range(1, 3, int=True), LAST, 3),
        (Range(5, 80, int=True, log=True), 0.0, 5),
        (Range(5, 80, int=True, log=True), LAST, 80),
        (Range(1e-3, 0.1, log=True, zero_or=True), 0.0, 0.0),
        (Range(1e-3, 0.1, log=True, zero_or=True), 0.5 - 1e-9, 0.0),
        (Range(1e-3, 0.1, log=True, zero_or=True), 0.5, 1e-3),
        (Range(1e-3, 0.1, log=True, zero_or=True), 0.75, 1e-2),
        (Range(choices=(0.1, 0.2, 0.5)), 0.0, 0.1),
        (Range(choices=(0.1, 0.2, 0.5)), 0.34, 0.2),
        (Range(choices=(0.1, 0.2, 0.5)), LAST, 0.5),
        (Range(choices=(False, True)), 0.5, True),
        (Range(choices=("batch", "ema")), 0.2, "batch"),
    ],
)
def test_a_coordinate_has_its_value(searched, u, value):
    searched.check()
    drawn = searched.at([u])
    assert drawn == pytest.approx(value, rel=1e-12) if isinstance(value, float) else drawn == value
    assert type(drawn) is type(value)


@given(
    low=st.floats(1e-6, 1e3),
    span=st.floats(0, 1e4),
    log=st.booleans(),
    u=st.floats(0, LAST),
    zero_or=st.booleans(),
)
def test_draws_stay_inside_the_range(low, span, log, u, zero_or):
    searched = Range(low, low + span, log=log, zero_or=zero_or)
    value = searched.at([u])
    assert (value == 0.0) if zero_or and u < 0.5 else (low <= value <= low + span)


@given(low=st.integers(1, 50), span=st.integers(0, 200), log=st.booleans(), u=st.floats(0, LAST))
def test_whole_draws_are_whole_and_inside(low, span, log, u):
    value = Range(low, low + span, int=True, log=log).at([u])
    assert isinstance(value, int)
    assert low <= value <= low + span


def test_zero_is_drawn_half_of_the_time():
    searched, rng = Range(1e-3, 0.1, log=True, zero_or=True), random.Random(0)
    drawn = [searched.at([rng.random()]) for _ in range(4000)]
    assert 0.47 < sum(value == 0.0 for value in drawn) / 4000 < 0.53


def test_a_list_has_one_to_three_sorted_draws():
    searched = Range(0.3, 0.9, unit="run", native="epoch", count=(1, 3))
    assert searched.dims == 4
    assert searched.at([0.0, 0.5, 0.1, 0.2]) == (pytest.approx(0.6),)
    assert searched.at([0.34, 0.5, 0.1, 0.2]) == pytest.approx((0.36, 0.6))
    assert searched.at([LAST, 0.5, 0.1, 0.0]) == pytest.approx((0.3, 0.36, 0.6))
    assert searched.to_native((0.3, 0.5), total_steps=1000, steps_per_epoch=10) == (30, 50)


def test_a_point_has_as_many_coordinates_as_dims():
    with pytest.raises(ValueError, match="has 1 coordinates, got 2"):
        Range(0, 1).at([0.1, 0.2])
    with pytest.raises(ValueError, match=r"must be in \[0, 1\)"):
        Range(0, 1).at([1.0])


@pytest.mark.parametrize(
    ("value", "unit", "native", "converted"),
    [
        (1, "epoch", "update", 391),
        (0.5, "run", "update", 1955),
        (0.5, "run", "epoch", 5),
        (782, "update", "epoch", 2),
        (0.07, "run", "epoch", 0.7),
        (3910, "1/run", "1/update", 1),
        (10, "1/run", "1/epoch", 1),
        (2, "1/epoch", "1/update", 2 / 391),
        (2, "1/update", "1/epoch", 782),
        (0.3, "1", "1", 0.3),
    ],
)
def test_conversion(value, unit, native, converted):
    assert convert(value, unit, native, **RUN) == pytest.approx(converted, rel=1e-15)


@pytest.mark.parametrize(("fraction", "epoch"), [(0.07, 7), (0.29, 29), (0.57, 57), (0.58, 58)])
def test_a_fraction_of_the_run_that_means_an_epoch_is_that_epoch(fraction, epoch):
    assert fraction * 100 != epoch  # what floating point makes of it, or this tests nothing
    assert convert(fraction, "run", "epoch", total_steps=100, steps_per_epoch=1) == epoch


@pytest.mark.parametrize(
    ("unit", "native"),
    [("epoch", "1/update"), ("1/run", "update"), ("1", "update"), ("run", "1"), ("1/run", "1")],
)
def test_times_rates_and_plain_numbers_do_not_mix(unit, native):
    with pytest.raises(ValueError, match="cannot be given in"):
        convert(1.0, unit, native, **RUN)
    with pytest.raises(ValueError, match="cannot be given in"):
        Range(0.1, 1, unit=unit, native=native).check()


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match=r"unit must be one of 1, update, .*, got 'step'"):
        convert(1.0, "step", "update", **RUN)


def test_to_native_keeps_what_has_no_unit_and_whole_numbers():
    assert Range(choices=(True, False)).to_native(True, **RUN) is True
    assert Range(choices=("rel", "abs")).to_native("rel", **RUN) == "rel"
    epochs = Range(1, 3, int=True, unit="epoch", native="update").to_native(2, **RUN)
    assert (epochs, type(epochs)) == (782, int)
    assert Range(0.1, 0.5, unit="run", native="epoch", at_least=1).to_native(0.05, **RUN) == 1
    assert Range(0.1, 0.5, unit="run", native="epoch", at_least=1).to_native(0.2, **RUN) == 2


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Range(1, 0), "low must not be above high, got low 1 and high 0"),
        (Range(0, 1, log=True), "low must be above 0 because log is set, got 0"),
        (Range(0, math.inf), "high must be a finite number, got inf"),
        (Range(math.nan, 1), "low must be a finite number, got nan"),
        (Range("a", 1), "low must be a finite number, got 'a'"),
        (Range(0.5, 2, int=True), "low must be a whole number because int is set, got 0.5"),
        (Range(choices=()), "choices must not be empty"),
        (Range(choices=(0.1, math.nan)), "choices must be finite numbers, strings or booleans, got nan"),
        (Range(0, 1, choices=(1,)), "choices must not be combined with low, high"),
        (Range(0, 1, unit="step"), "unit must be one of"),
        (Range(0, 1, unit="run", native="run"), "native must not be relative to the run"),
        (Range(0, 1, count=(0, 3)), "count must be"),
        (Range(0, 1, count=(3, 1)), "count must be"),
        (Range(0, 1, at_least=math.inf), "at_least must be finite"),
    ],
)
def test_check_names_the_rule(broken, message):
    with pytest.raises(ValueError, match=message):
        broken.check()
