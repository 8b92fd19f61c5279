"""From native units back to range units: what a run was really trained with."""

import pytest

from decaybench.schedules import Range
from decaybench.search import from_native, point
from search.test_sampler import SPACES, Dim

CLOCK = {"total_steps": 180, "steps_per_epoch": 18}

FIELDS = {
    "plain": (Range(0.1, 0.9), 0.25, 0.25),
    "log": (Range(1e-3, 1.0, log=True), 0.5, 0.5),
    "time": (Range(0.1, 1.0, unit="run", native="update"), 45, 0.25),
    "epochs": (Range(0.1, 1.0, unit="run", native="epoch"), 5, 0.5),
    "rate": (Range(0.1, 10.0, unit="1/run", native="1/update"), 2.0 / 180, 2.0),
    "rounded": (Range(0.1, 0.3, unit="run", native="epoch"), 2, 0.2),
    "below": (Range(0.1, 0.3, unit="run", native="update"), 17, 0.1),
    "above": (Range(0.1, 0.3, unit="run", native="update"), 99, 0.3),
    "whole": (Range(1, 6, int=True), 4, 4),
    "whole_epochs": (Range(1, 6, int=True, unit="epoch", native="update"), 54, 3),
    "zero": (Range(1e-3, 0.1, log=True, zero_or=True), 0, 0.0),
    "not_zero": (Range(1e-3, 0.1, log=True, zero_or=True), 0.01, 0.01),
    "choice": (Range(choices=(0.1, 0.2, 0.5)), 0.2, 0.2),
    "choice_of_time": (Range(choices=(0.25, 0.3), unit="run", native="epoch"), 3, 0.3),
    "word": (Range(choices=("batch", "ema")), "ema", "ema"),
    "switch": (Range(choices=(False, True)), True, True),
    "many": (Range(0.3, 0.9, count=(1, 3), unit="run", native="epoch"), [4, 8], (0.4, 0.8)),
}


@pytest.mark.parametrize("name", FIELDS)
def test_from_native(name):
    limits, native, wanted = FIELDS[name]
    got = from_native((Dim(f"label.{name}", limits, False),), {name: native, "momentum": 0.9}, **CLOCK)
    assert got == {f"label.{name}": pytest.approx(wanted)}
    assert type(got[f"label.{name}"]) is type(wanted)


def test_momentum_is_searched_on_one_minus_it():
    searched = Dim("one_minus_momentum", Range(5e-3, 0.3, log=True), True)
    assert from_native((searched,), {"momentum": 0.9}, **CLOCK)["one_minus_momentum"] == pytest.approx(0.1)
    choices = tuple(1.0 - m for m in (0.0, 0.5, 0.9))
    listed = Dim("one_minus_momentum", Range(choices=choices), True)
    for momentum, choice in zip((0.0, 0.5, 0.9), choices, strict=True):
        assert from_native((listed,), {"momentum": momentum}, **CLOCK) == {"one_minus_momentum": choice}


@pytest.mark.parametrize("label", SPACES)
def test_there_and_back(label):
    for slot in range(30):
        values = point(2, 0, label, slot, SPACES[label])
        native = {name.rpartition(".")[2]: value for name, value in values.items()}
        if "one_minus_momentum" in native:
            native["momentum"] = 1.0 - native.pop("one_minus_momentum")
        got = from_native(SPACES[label], native, **CLOCK)
        assert got.keys() == values.keys()
        for name, value in values.items():
            assert got[name] == pytest.approx(value, rel=1e-12)
