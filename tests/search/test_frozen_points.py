"""Points of the balanced sampler, written down: those of sweeps that were begun stay where they are."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from decaybench.schedules import Range
from decaybench.search import balanced, point
from decaybench.shared import SHARED, Shared


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


TEMPO = Dim("one_minus_tempo", Range(0.1, 0.9), True)


@pytest.fixture
def appended(monkeypatch):
    """A fourth and a fifth shared name, for the test's time."""
    new = [
        Shared(name, "must be in (0, 1)", lambda value: 0 < value < 1, one_minus=True) for name in ("tempo", "pulse")
    ]
    monkeypatch.setattr(balanced, "SHARED", (*SHARED, *new))


@pytest.mark.usefixtures("appended")
@pytest.mark.parametrize("label", SPACES)
def test_a_new_shared_name_moves_no_point(label):
    check()
    for seed, repeat, slot in ((0, 0, 0), (3, 2, 41)):
        before = point(seed, repeat, label, slot, SPACES[label])
        assert before == {
            n: v for n, v in point(seed, repeat, label, slot, (TEMPO, *SPACES[label])).items() if n in before
        }


@pytest.mark.usefixtures("appended")
@pytest.mark.parametrize("points", ["sobol", "random"])
def test_a_new_shared_name_is_paired_and_a_scramble_of_its_own(points):
    def drawn(label, slot, repeat=0, dim=TEMPO):
        return point(5, repeat, label, slot, (*SPACES[label], dim), points)[dim.name]

    for slot in range(8):
        assert len({drawn(label, slot) for label in SPACES}) == 1
        assert drawn("own", slot) != drawn("own", slot, repeat=1)
        assert drawn("own", slot) != drawn("own", slot, dim=Dim("one_minus_pulse", TEMPO.range, True))


@pytest.mark.usefixtures("appended")
def test_a_new_shared_name_fills_its_plane_with_every_other_parameter():
    others = (
        RATE,
        MOMENTUM,
        DECAY,
        *(Dim(f"own.{i}", Range(0.0, 1.0)) for i in range(6)),
        Dim("one_minus_pulse", TEMPO.range, True),
    )
    for repeat in range(3):
        rows = [point(repeat, repeat, "own", slot, (TEMPO, *others)) for slot in range(64)]
        median = {name: sorted(row[name] for row in rows)[32] for name in rows[0]}
        for other in others:
            quadrants = Counter(
                (row[TEMPO.name] >= median[TEMPO.name], row[other.name] >= median[other.name]) for row in rows
            )
            assert set(quadrants.values()) == {16}, other.name
