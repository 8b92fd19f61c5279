"""The example run of each kind: what its curve is drawn from."""

import dataclasses

import pytest
import torch

from decaybench.schedules import SCHEDULES, Range, number, trace
from decaybench.schedules.base import Fixed
from decaybench.schedules.example import EPOCH, UPDATES, example, settings

KINDS = pytest.mark.parametrize("kind", sorted(SCHEDULES))
REACTIVE = sorted(kind for kind, cls in SCHEDULES.items() if cls.family == "reactive")


@KINDS
def test_every_kind_has_one_and_always_the_same(kind):
    run, again = example(SCHEDULES[kind]), example(SCHEDULES[kind])
    assert run.schedule == again.schedule
    assert run.scale.shape == (UPDATES,)
    assert run.scale.dtype == torch.float64
    assert torch.isfinite(run.scale).all()
    assert run.scale.equal(again.scale)
    assert (run.loss is None) == (SCHEDULES[kind].family == "fixed")


@pytest.mark.parametrize("kind", [kind for kind in REACTIVE if not SCHEDULES[kind].observes])
def test_a_reactive_curve_is_the_trace_of_the_losses_shown(kind):
    run = example(SCHEDULES[kind])
    assert run.loss.shape == ((UPDATES,) if run.schedule.when == "update" else (UPDATES // EPOCH,))
    assert run.loss[-len(run.loss) // 4 :].mean() < run.loss[: len(run.loss) // 4].mean()  # it learns
    expected = trace(run.schedule, UPDATES, EPOCH, run.loss, base_lr=run.base_lr)
    torch.testing.assert_close(run.scale, expected, rtol=1e-12, atol=0)


def moves(kind: str) -> tuple[int, int]:
    steps = example(SCHEDULES[kind]).scale.diff()
    return int((steps > 0).sum()), int((steps < 0).sum())


def test_the_curves_show_what_the_rules_do():
    assert example(SCHEDULES["exp_loss"]).scale[0].item() == pytest.approx(5.0)  # exp(ln 5): five classes
    assert moves("reduce_on_plateau")[0] == 0 and moves("reduce_on_plateau")[1] >= 2
    assert min(moves("bold_driver")) >= 3
    assert min(moves("greedy_lr")) >= 2
    alig = example(SCHEDULES["alig"]).scale
    assert alig.max() == 1.0 and alig.min() < 0.5  # the cap, and what is below it
    assert example(SCHEDULES["polyak"]).scale.min() < 0.5
    assert example(SCHEDULES["hypergradient"]).scale[-1] > 1.5
    for kind in REACTIVE:
        scale = example(SCHEDULES[kind]).scale
        assert scale.max() > 1.2 * scale.min(), kind


@dataclasses.dataclass(frozen=True)
class Sample(Fixed):
    middle: object = number("[0, 10]", Range(0.0, 1.0))
    log: object = number("(0, inf)", Range(1e-4, 1.0, log=True))
    time: object = number("(0, inf)", Range(0.1, 0.5, unit="run", native="update"))
    rate: object = number("(0, inf)", Range(1.0, 3.0, unit="1/run", native="1/epoch"))
    off: object = number("[0, 1]", Range(0.2, 0.4, zero_or=True))
    chosen: object = number("(0, 1]", Range(choices=(0.1, 0.2, 0.5)))
    listed: object = number("[0, inf)", Range(0.0, 1.0, count=(1, 3)))
    third: object = number("[0, 10]", Range(0.0, 2.0 / 3.0))
    plain: object = number("[0, 10]", 7.0)


def test_values_are_the_middles_of_the_ranges_in_native_units():
    assert settings(Sample) == {
        "middle": 0.5,
        "log": 0.01,
        "time": 60,
        "rate": 0.1,
        "off": 0.3,
        "chosen": 0.2,
        "listed": (0.3, 0.7),
        "third": 0.333,
    }


def test_what_is_chosen_by_hand_is_legal_and_could_be_searched():
    for kind, cls in SCHEDULES.items():
        chosen = cls.example
        shared = cls.learning_rate or Range(1e-3, 1.0, log=True)
        assert shared.low <= chosen.get("learning_rate", shared.low) <= shared.high, kind
        for name, value in chosen.items():
            limits = cls.range_of(name, epochs=UPDATES // EPOCH) if name != "learning_rate" else None
            if limits is not None and limits.unit == limits.native:
                assert limits.low <= value <= limits.high, f"{kind}.{name}"
