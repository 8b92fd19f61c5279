"""A point of the space becomes native values, whatever units it was written in, and comes back from the runs table."""

import json

import pytest

from decaybench.errors import UserError
from decaybench.sweep import Sweep, arms, from_params, resolve

SIZE = {"total_steps": 180, "steps_per_epoch": 18}  # 10 epochs of 18 updates


def resolved(small, strategy, values=(), *, size=SIZE, search="learning_rate = 0.1"):
    (arm,) = arms(small(f"[search]\n{search}\n[strategies.{strategy}"))
    run = resolve(arm, dict(values), **size)
    assert from_params(arm, json.loads(json.dumps(run.params))) == run
    assert run.schedule.resolved
    return run


@pytest.mark.parametrize(
    ("written", "native"),
    [
        ("16", 16),
        ("{value = 16, unit = 'update'}", 16),
        ("{value = 16}", 16),
        ("{value = 1, unit = 'epoch'}", 18),
        ("{value = 0.5, unit = 'epoch'}", 9),
        ("{value = 1, unit = 'run'}", 180),
        ("{value = 0.25, unit = 'run'}", 45),
    ],
)
def test_times_in_updates(small, written, native):
    run = resolved(small, f"exponential]\ndecay_rate = 0.5\ndecay_steps = {written}")
    assert run.params["decay_steps"] == native
    assert run.schedule.decay_steps == native


@pytest.mark.parametrize(
    ("per", "written", "native"),
    [
        ("update", "0.002", 0.002),
        ("update", "{value = 0.36, unit = '1/epoch'}", 0.02),
        ("update", "{value = 18, unit = '1/run'}", 0.1),
        ("epoch", "0.002", 0.002),
        ("epoch", "{value = 0.1, unit = '1/update'}", 1.8),
        ("epoch", "{value = 5, unit = '1/run'}", 0.5),
    ],
)
def test_rates(small, per, written, native):
    run = resolved(small, f"time_based]\nper = '{per}'\ndecay = {written}")
    assert run.params["decay"] == pytest.approx(native)
    assert run.params["per"] == per


@pytest.mark.parametrize(
    ("written", "native"),
    [
        ("[3, 6]", [3, 6]),
        ("{value = [0.3, 0.6], unit = 'run'}", [3, 6]),
        ("{value = [36, 90], unit = 'update'}", [2, 5]),
    ],
)
def test_lists(small, written, native):
    run = resolved(small, f"multi_step]\ngamma = 0.1\nmilestones = {written}")
    assert run.params["milestones"] == native
    assert run.schedule.milestones == tuple(native)


def test_a_range_means_the_same_at_any_length(small):
    strategy, values = "exponential]", {"exponential.decay_rate": 0.5, "exponential.decay_steps": 0.5}
    for total_steps in (180, 90, 36):
        run = resolved(small, strategy, values, size={"total_steps": total_steps, "steps_per_epoch": 18})
        assert run.params["decay_steps"] == total_steps / 2


def test_searched_lists_and_lower_bounds(small):
    run = resolved(small, "multi_step]", {"multi_step.milestones": (0.3, 0.75), "multi_step.gamma": 0.2})
    assert run.schedule.milestones == (3.0, 7.5)
    run = resolved(small, "step_decay]", {"step_decay.drop": 0.5, "step_decay.epochs_drop": 0.01})
    assert run.schedule.epochs_drop == 1


def test_a_count_stays_whole(small):
    plateau = "reduce_on_plateau]\nfactor = 0.5\n"
    run = resolved(small, f"{plateau}cooldown = 1\npatience = {{value = 0.22, unit = 'run'}}")
    assert run.params["patience"] == 2 and isinstance(run.params["patience"], int)
    run = resolved(
        small,
        f"{plateau}cooldown = 1\npatience = {{low = 0.1, high = 0.5, unit = 'run'}}",
        {"reduce_on_plateau.patience": 0.38},
    )
    assert run.params["patience"] == 4
    run = resolved(small, plateau, {"reduce_on_plateau.patience": 3, "reduce_on_plateau.cooldown": 0})
    assert (run.params["patience"], run.params["cooldown"]) == (3, 0)


@pytest.mark.parametrize("given", ["", 'mode = "min"\n'])
def test_an_option_for_ones_own_loop_is_no_parameter_of_a_run(small, given):
    """So rows of databases that are older than the option are runs as before."""
    plateau = f"reduce_on_plateau]\nfactor = 0.5\npatience = 1\ncooldown = 0\n{given}"
    run = resolved(small, plateau)
    assert "mode" not in run.params
    assert run.schedule.mode == "min"


def test_shared_parameters(small):
    search = "momentum = {low = 0.5, high = 0.99}\nweight_decay = {choices = [0, 1e-4]}"
    run = resolved(
        small,
        "constant]",
        {"learning_rate": 0.25, "one_minus_momentum": 0.25, "weight_decay": 1e-4},
        search=search,
    )
    assert (run.learning_rate, run.momentum, run.weight_decay) == (0.25, 0.75, 1e-4)
    assert list(run.params)[:3] == ["learning_rate", "momentum", "weight_decay"]


def test_momentum_choices_come_back_as_written(small):
    search = "learning_rate = 0.1\nmomentum = {choices = [0, 0.1, 0.3, 0.9, 0.99]}"
    (arm,) = arms(small(f"[search]\n{search}\n[strategies.constant]"))
    back = [resolve(arm, {"one_minus_momentum": choice}, **SIZE).momentum for choice in arm.space[0].range.choices]
    assert back == [0, 0.1, 0.3, 0.9, 0.99]


def test_params_hold_every_field(small):
    run = resolved(small, "exp_loss]\ngain = {low = 0.5, high = 1}\nsignal = {choices = ['ema', 'epoch']}",
                   {"exp_loss.gain": 0.75, "exp_loss.signal": "epoch"})  # fmt: skip
    assert run.params == {
        "learning_rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "gain": 0.75,
        "signal": "epoch",
        "max_scale": 1000.0,
        "smoothing": 0.9,
        "warmup": 0,
        "warmup_start": 1,
    }


def test_values_must_be_those_of_the_space(small):
    (arm,) = arms(small())
    for values in ({}, {"learning_rate": 0.1, "drop": 1}):
        with pytest.raises(ValueError, match="constant searches \\['learning_rate'\\]"):
            resolve(arm, values, **SIZE)


def test_what_only_the_kind_can_refuse(small):
    (arm,) = arms(small("[search]\nlearning_rate = 0.1\n[strategies.exponential]\ndecay_rate = 0.5"))
    with pytest.raises(UserError, match=r"^strategies.exponential: Exponential.decay_steps must be in \(0, inf\)"):
        resolve(arm, {"exponential.decay_steps": 0.0}, **SIZE)


def test_patience_keeps_its_place_in_the_range_of_a_shorter_run():
    """With 100 epochs it is searched up to 20; a run a tenth as long could never cut with that."""
    mapping = {
        "name": "p",
        "task": {"data": "digits", "model": "small-cnn", "epochs": 100, "batch_size": 100},
        "budget": {"trials": 1, "repeats": 1, "confirm_seeds": 1, "lengths": [0.1, 1.0]},
        "strategies": {"reduce_on_plateau": {"factor": 0.5, "cooldown": 0}},
    }
    (arm,) = arms(Sweep.from_mapping(mapping, "p"))

    def patience(drawn: int, epochs: int) -> int:
        values = {"learning_rate": 0.1, "reduce_on_plateau.patience": drawn}
        return resolve(arm, values, total_steps=10 * epochs, steps_per_epoch=10).params["patience"]

    assert [patience(drawn, 100) for drawn in (1, 10, 20)] == [1, 10, 20]
    assert [patience(drawn, 10) for drawn in (1, 10, 20)] == [1, 2, 3]
