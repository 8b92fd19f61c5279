"""Points of the balanced sampler, written down: those of sweeps that were begun stay where they are."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from decaybench.schedules import Range
from decaybench.search import point


@dataclass(frozen=True)
class Dim:
    name: str
    range: Range
    shared: bool = False


RATE = Dim("learning_rate", Range(1e-3, 1.0, log=True), True)
MOMENTUM = Dim("one_minus_momentum", Range(5e-3, 0.3, log=True), True)
DECAY = Dim("weight_decay", Range(0.0, 0.01), True)
SPACES = {
    "fixed": (),
    "constant": (RATE,),
    "momentum": (MOMENTUM,),  # the learning rate beside it is given
    "all": (RATE, MOMENTUM, DECAY),
    "narrow": (
        Dim("learning_rate", Range(1e-4, 0.1, log=True), True),
        DECAY,
        Dim("narrow.gain", Range(0.1, 2.0, log=True)),
    ),
    "choices": (Dim("one_minus_momentum", Range(choices=(0.1, 0.05, 0.5)), True),),
    "mixed": (
        RATE,
        MOMENTUM,
        Dim("mixed.floor", Range(1e-3, 0.1, log=True, zero_or=True)),
        Dim("mixed.milestones", Range(0.3, 0.9, count=(1, 3))),
        Dim("mixed.gamma", Range(choices=(0.1, 0.2, 0.5))),
        Dim("mixed.patience", Range(1, 6, int=True)),
    ),
    "own": (Dim("own.decay_rate", Range(0.1, 0.9)),),
}
FILE = Path(__file__).with_name("points.json")
FROZEN = json.loads(FILE.read_text())


def check() -> None:
    for frozen in FROZEN:
        label = frozen["strategy"]
        values = point(frozen["seed"], frozen["repeat"], label, frozen["slot"], SPACES[label], frozen["points"])
        assert values.keys() == frozen["values"].keys()
        for name, value in frozen["values"].items():
            found = list(values[name]) if isinstance(value, list) else values[name]
            assert found == pytest.approx(value, rel=1e-12), f"{name} of {frozen}"


def test_every_kind_of_space_is_written_down_for_several_seeds_repeats_and_slots():
    assert {frozen["strategy"] for frozen in FROZEN} == set(SPACES)
    for key, least in (("seed", 3), ("repeat", 3), ("slot", 5), ("points", 2)):
        assert len({frozen[key] for frozen in FROZEN}) >= least


def test_points_stay_where_they_are():
    check()
