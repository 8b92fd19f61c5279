"""What a strategy searches and what it fixes: strategy, then [search], then the kind's range, then the shared default."""

import pytest

from decaybench.optimizers import Average
from decaybench.schedules import Exponential, Range
from decaybench.sweep import Dimension, arms
from decaybench.sweep.values import Value

LOG = Range(1e-3, 1.0, log=True)


def names(arm):
    return [dimension.name for dimension in arm.space]


def test_a_strategy_that_says_nothing(small):
    (arm,) = arms(small())
    assert (arm.label, arm.kind, arm.family) == ("constant", "constant", "fixed")
    assert (arm.optimizer, arm.nesterov, arm.velocity) == ("sgd", False, "torch")
    assert (arm.momentum, arm.weight_decay) == (0.9, 0.0)
    assert arm.space == (Dimension("learning_rate", LOG, True),)
    assert arm.learning_rate == LOG


def test_file_order_and_labels(small):
    built = arms(small("[strategies.b]\nschedule = 'linear'\n[strategies.a]\nschedule = 'linear'\n[strategies.linear]"))
    assert [arm.label for arm in built] == ["b", "a", "linear"]
    assert {arm.kind for arm in built} == {"linear"}


@pytest.mark.parametrize(
    ("search", "strategy", "expected"),
    [
        ("", "", Range(1e-4, 0.1, log=True)),  # exp_loss' own range
        ("learning_rate = {low = 0.01, high = 0.5, log = true}", "", Range(0.01, 0.5, log=True)),
        ("learning_rate = 0.3", "", 0.3),
        ("learning_rate = 0.3", "learning_rate = {low = 1, high = 2}", Range(1.0, 2.0)),
        ("learning_rate = 0.3", "learning_rate = {choices = [1, 0.5]}", Range(choices=(1.0, 0.5))),
        ("", "learning_rate = {value = 1}", 1.0),
    ],
)
def test_precedence_of_the_learning_rate(small, search, strategy, expected):
    (arm,) = arms(small(f"[search]\n{search}\n[strategies.exp_loss]\ngain = 1\n{strategy}"))
    assert arm.learning_rate == expected
    assert names(arm) == (["learning_rate"] if isinstance(expected, Range) else [])


def test_optimizer_settings_of_a_strategy_go_before_the_task(small):
    built = arms(
        small(
            "[strategies.a]\nschedule = 'constant'\n[strategies.b]\nschedule = 'constant'\nnesterov = false\nvelocity = 'torch'",
            ("batch_size = 64", "batch_size = 64\nnesterov = true\nvelocity = 'keras'"),
        )
    )
    assert [(arm.nesterov, arm.velocity) for arm in built] == [(True, "keras"), (False, "torch")]


def test_an_average_of_a_strategy_goes_before_the_task_s(small):
    strategies = "[strategies.a]\nschedule = 'constant'\n[strategies.b]\nschedule = 'constant'\naverage = {last = 3}"
    free = "\n[strategies.free]\nschedule = 'constant'\noptimizer = 'schedule-free'"  # has one of its own
    built = arms(small(strategies + free, ("batch_size = 64", "batch_size = 64\naverage = {ema = 0.9}")))
    assert [arm.average for arm in built] == [Average(ema=0.9), Average(last=3), None]
    assert [arm.form.average for arm in built] == [arm.average for arm in built]
    assert [arm.control for arm in built] == [True, False, False]
    assert [arm.method for arm in built] == ["sgd, EMA 0.9", "sgd, mean of the last 3 epochs", "schedule-free"]


def test_momentum_is_searched_as_one_minus_momentum(small):
    (arm,) = arms(small("[search]\nmomentum = {low = 0.7, high = 0.995, log = true}\n[strategies.constant]"))
    searched = arm.space[1]
    assert (searched.name, searched.shared, searched.range.log) == ("one_minus_momentum", True, True)
    assert searched.range.low == pytest.approx(0.005) and searched.range.high == pytest.approx(0.3)
    assert arm.momentum == searched.range


def test_momentum_zero_is_legal_on_a_log_scale(small):
    (arm,) = arms(small("[search]\nmomentum = {low = 0, high = 0.9, log = true}\n[strategies.constant]"))
    assert arm.momentum.high == 1.0


def test_order_of_the_space(small):
    search = "weight_decay = {low = 1e-6, high = 1e-3, log = true}\nmomentum = {low = 0.5, high = 0.9}"
    (arm,) = arms(
        small(f"[search]\n{search}\n[strategies.decay]\nschedule = 'exponential'\nwarmup = {{low = 1, high = 2}}")
    )
    assert names(arm) == [
        "learning_rate",
        "one_minus_momentum",
        "weight_decay",
        "decay.decay_rate",
        "decay.decay_steps",
        "decay.warmup",
    ]
    assert [d.shared for d in arm.space] == [True, True, True, False, False, False]


def test_own_fields(small):
    (arm,) = arms(
        small(
            "[strategies.stairs]\nschedule = 'exponential'\nstaircase = true\n"
            "decay_rate = {low = 0.1, high = 0.9}\ndecay_steps = {value = 1, unit = 'epoch'}"
        )
    )
    assert arm.schedule_class is Exponential
    assert arm.fixed == {"decay_steps": Value(1, "epoch"), "staircase": Value(True)}
    assert arm.space[1:] == (Dimension("stairs.decay_rate", Range(0.1, 0.9), False),)


def test_units_default_to_the_kinds(small):
    (arm,) = arms(
        small(
            "[strategies.exponential]\ndecay_rate = 0.5\ndecay_steps = {low = 0.1, high = 0.5}\n"
            "warmup = {low = 0.01, high = 0.1}"
        )
    )
    assert [d.range for d in arm.space[1:]] == [
        Range(0.1, 0.5, unit="run", native="update"),
        Range(0.01, 0.1, unit="run", native="update"),
    ]


def test_choices_are_native_unless_a_unit_is_given(small):
    for written, unit in (("choices = [16, 32]", "update"), ("choices = [1, 2], unit = 'epoch'", "epoch")):
        (arm,) = arms(small(f"[strategies.exponential]\ndecay_rate = 0.5\ndecay_steps = {{{written}}}"))
        (searched,) = arm.space[1:]
        assert (searched.range.unit, searched.range.native) == (unit, "update")


def test_what_a_kind_knows_of_a_field_stays(small):
    (arm,) = arms(small("[strategies.multi_step]\nmilestones = {low = 0.2, high = 0.8}\ngamma = 0.1"))
    assert arm.space[1].range == Range(0.2, 0.8, unit="run", native="epoch", count=(1, 3))
    (arm,) = arms(small("[strategies.step_decay]\nepochs_drop = {low = 0.2, high = 0.8}\ndrop = 0.5"))
    assert arm.space[1].range.at_least == 1
    (arm,) = arms(small("[strategies.reduce_on_plateau]\npatience = {low = 1, high = 8}\ncooldown = 0\nfactor = 0.1"))
    assert arm.space[1].range == Range(1, 8, int=True, unit="epoch", native="epoch")


def test_a_kinds_range_may_hang_on_the_epochs(small):
    (arm,) = arms(small("[strategies.reduce_on_plateau]", ("epochs = 10", "epochs = 100")))
    assert {d.name: d.range.high for d in arm.space}["reduce_on_plateau.patience"] == 20


def test_per_epoch_decay_is_native_per_epoch(small):
    (arm,) = arms(small("[strategies.time_based]\nper = 'epoch'"))
    assert arm.space[1].range == Range(0.05, 1000.0, log=True, unit="1/run", native="1/epoch")


def test_searched_options(small):
    (arm,) = arms(small("[strategies.exp_loss]\ngain = 1\nsignal = {choices = ['batch', 'ema']}"))
    assert arm.space[1] == Dimension("exp_loss.signal", Range(choices=("batch", "ema")), False)


@pytest.mark.parametrize(
    ("strategy", "needed"),
    [
        ("[strategies.exp_loss]", False),
        ("[strategies.exp_loss]\nsignal = 'held_out'", True),
        ("[strategies.exp_loss]\nsignal = {choices = ['ema', 'held_out']}", True),
        ("[strategies.constant]\n[strategies.reduce_on_plateau]\nsignal = 'held_out'", True),
        ("[strategies.constant]\n[strategies.reduce_on_plateau]", False),
    ],
)
def test_needs_signal(small, strategy, needed):
    assert small(strategy).needs_signal is needed


def test_one_scale_where_all_agree(small):
    built = arms(
        small(
            "[strategies.exp_loss]\n[strategies.constant]\nlearning_rate = 0.1\n[strategies.linear]\n"
            "learning_rate = {low = 0.1, high = 2, log = true}"
        )
    )
    assert [isinstance(arm.learning_rate, Range) for arm in built] == [True, False, True]
