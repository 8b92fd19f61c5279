"""The sweep file is read back as the same setting, for every kind."""

from dataclasses import replace

import pytest

from decaybench.export.toml import name, write
from decaybench.schedules import SCHEDULES
from decaybench.sweep import Sweep, arms, load_sweep, resolve
from export.settings import setting
from schedules.samples import draw

T, N = 60, 5


def read(tmp_path, code: str) -> Sweep:
    (tmp_path / "again.toml").write_text(code)
    return load_sweep(tmp_path / "again.toml")


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("seed", range(6))
def test_the_parameters_are_the_winner_s(tmp_path, kind, seed):
    velocity = "torch" if kind in ("l4", "hypergradient") else "keras"  # whose direction Keras' velocity is not
    task = {"nesterov": True, "velocity": velocity, "decay_biases": False, "momentum": 0.8972595504744278}
    task |= {"augment": ["crop1", "flip"], "clip_norm": 0.5, "average": {"last": 5}}
    found = setting(draw(kind, seed, T, N), T, N, weight_decay=1e-5, label="it-2", train_size=640, **task)
    again = read(tmp_path, write(found))
    (arm,) = arms(again)
    assert arm.space == ()
    assert resolve(arm, {}, total_steps=T, steps_per_epoch=N).params == found.parameters.params
    assert (arm.label, arm.optimizer, arm.nesterov, arm.velocity) == ("it-2", "sgd", True, velocity)
    assert again.task == found.sweep.task
    assert again.search.seed == found.sweep.search.seed
    assert (again.name, again.budget.confirm_seeds) == ("made-it-2", 2)
    assert (again.budget.trials, again.budget.repeats.start, again.budget.repeats.to) == (1, 1, 1)


@pytest.mark.parametrize("optimizer", ["adam", "schedule-free", "prodigy"])
def test_a_shorter_length_and_the_optimizer_are_kept(tmp_path, optimizer):
    found = setting(SCHEDULES["cosine"](floor=0), T, N, optimizer=optimizer)
    spec = found.sweep.spec()
    spec["budget"]["lengths"] = [0.25, 0.5]
    again = read(tmp_path, write(replace(found, sweep=Sweep.from_mapping(spec, "made"), length=0.5)))
    assert again.budget.lengths == (0.5,)
    assert arms(again)[0].optimizer == optimizer


def test_an_average_of_the_strategy_s_own_is_kept(tmp_path):
    found = setting(SCHEDULES["cosine"](floor=0), T, N)
    spec = found.sweep.spec()
    spec["strategies"]["it"]["average"] = {"ema": 0.999}
    again = read(tmp_path, write(replace(found, sweep=Sweep.from_mapping(spec, "made"))))
    assert again.task.average is None
    assert str(arms(again)[0].average) == "EMA 0.999"


def test_a_sweep_that_retrained_nothing_gives_one_that_does(tmp_path):
    found = setting(SCHEDULES["constant"](), T, N)
    spec = found.sweep.spec()
    spec["budget"]["confirm_seeds"] = 0
    assert read(tmp_path, write(replace(found, sweep=Sweep.from_mapping(spec, "made")))).budget.confirm_seeds == 4


def test_a_signal_split_that_falls_away_is_said(tmp_path):
    schedule = SCHEDULES["constant"]()
    found = setting(schedule, T, N)
    spec = found.sweep.spec()
    spec["strategies"]["held"]["signal"] = "held_out"
    code = write(replace(found, sweep=Sweep.from_mapping(spec, "made")))
    assert "signal split" in code
    assert read(tmp_path, code).task.train_size == found.train_examples
    assert "signal split" not in write(found)


def test_the_name_is_another_and_fits():
    found = setting(SCHEDULES["constant"](), T, N, label="x" * 64)
    assert name(found).startswith("made-xxx")
    assert len(name(found)) == 64
