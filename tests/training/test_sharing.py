"""Runs that begin alike are computed once, and nobody can tell from their numbers."""

from dataclasses import replace

import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import Average, OptimizerForm, Recipe, Run, train
from training.settings import TOGETHER

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    return prepare(dataset, draw_splits(dataset, 0, train_size=160, signal=True))


def first(digits, n):
    """The first n examples of each split."""
    parts = {name: getattr(digits, name) for name in ("train", "validation", "signal", "test")}
    return replace(digits, **{name: replace(p, images=p.images[:n], labels=p.labels[:n]) for name, p in parts.items()})


def make(kind, **fields):
    return SCHEDULES[kind](**fields)


def family(seed=1, rate=0.05, momentum=0.9):
    """Schedules that leave the base learning rate at different times, or never; 40 updates, 5 an epoch."""
    schedules = [
        make("constant"),
        make("multi_step", milestones=[4], gamma=0.1),
        make("multi_step", milestones=[4, 6], gamma=0.1),
        make("step_decay", drop=0.5, epochs_drop=3),
        make("wsd", decay_fraction=0.25),
        make("reduce_on_plateau", factor=0.5, patience=0, cooldown=0, threshold=0.2),
        make("reduce_on_plateau", factor=0.5, patience=7, cooldown=0),
        make("bold_driver", up=1.1, down=0.5),
        make("exp_loss_relative", gain=1.0, signal="held_out"),
        make("cosine", floor=0.0),
        make("hypergradient", beta=1e-4),
    ]
    return [Run(seed, schedule, rate, momentum, 1e-4) for schedule in schedules]


def assert_same(a, b):
    assert a.trace.tobytes() == b.trace.tobytes()
    assert replace(a, trace=None, updates_computed=0) == replace(b, trace=None, updates_computed=0)


FORMS = [
    OptimizerForm(nesterov=True),
    OptimizerForm(velocity="keras"),
    OptimizerForm("adam"),
    OptimizerForm("schedule-free"),
    OptimizerForm("prodigy"),
]


SETTINGS = [{}, *({"form": form} for form in FORMS if form != OptimizerForm()), *TOGETHER]


@pytest.mark.parametrize(
    ("settings", "precision"),
    [
        *((settings, "fp32") for settings in SETTINGS),
        ({"form": FORMS[3]}, "bf16"),
        *(
            pytest.param(settings, "bf16", marks=pytest.mark.soak)
            for settings in SETTINGS
            if settings.get("form") != FORMS[3]
        ),
    ],
    ids=str,
)
def test_every_run_has_the_bits_that_it_has_alone(digits, settings, precision, lane_updates):
    batch, steps = 8, 2 if settings else 5
    digits = first(digits, steps * batch)
    recipe = Recipe("small-cnn", epochs=8, batch_size=batch, precision=precision, **settings)
    runs = family() + family(seed=2)[:5]
    if recipe.form.kind != "sgd" or recipe.label_smoothing:  # a rule that asks for gradients
        runs = [run for run in runs if run.schedule.kind != "hypergradient"]
    together = train(recipe, runs, digits, device=CPU, read_test=True)
    shared, alone = sum(lane_updates), 0
    for run, result in zip(runs, together, strict=True):
        lane_updates.clear()
        assert_same(train(recipe, [run], digits, device=CPU, read_test=True)[0], result)
        alone += sum(lane_updates)
    assert alone == 8 * steps * len(runs)
    assert shared < 0.75 * alone
    assert sum(result.updates_computed for result in together) == shared


def test_runs_part_exactly_where_their_learning_rates_do(digits, lane_updates):
    recipe = Recipe("small-cnn", epochs=8, batch_size=32)
    runs = [replace(run, momentum=0.5) for run in family()[:3]]  # apart from update 20 on, and from 30 on
    results = train(recipe, runs, digits, device=CPU)
    # A batch's gradient is taken before the update in which they part.
    assert lane_updates == [1] * 21 + [2] * 10 + [3] * 9
    assert [result.updates_computed for result in results] == [40, 19, 9]


@pytest.mark.parametrize(
    ("average", "lanes"),
    [
        (None, [2] * 40),
        (Average(ema=0.9), [2] * 40),
        (Average(last=2), [5] * 10 + [3] * 10 + [2] * 20),  # runs of other lengths average other epochs
    ],
    ids=str,
)
def test_a_shorter_run_is_the_beginning_of_a_longer_one(digits, lane_updates, average, lanes):
    recipe = Recipe("small-cnn", epochs=8, batch_size=32, form=OptimizerForm(average=average))
    exp_loss = make("exp_loss", gain=0.5)
    runs = [replace(family()[0], epochs=n) for n in (2, 4, 8)]
    runs += [Run(1, exp_loss, 0.01, 0.9, 0.0, epochs=n) for n in (2, 8)]
    together = train(recipe, runs, digits, device=CPU, read_test=True)
    assert lane_updates == lanes
    assert [len(result.trace) for result in together] == [10, 20, 40, 10, 40]
    assert [result.epochs_done for result in together] == [2, 4, 8, 2, 8]
    for run, result in zip(runs, together, strict=True):
        (alone,) = train(
            replace(recipe, epochs=run.epochs), [replace(run, epochs=None)], digits, device=CPU, read_test=True
        )
        assert_same(alone, result)


def test_lanes_that_have_ended_are_no_longer_computed(digits, lane_updates):
    recipe = Recipe("small-cnn", epochs=8, batch_size=32)
    other = Run(3, make("constant"), 0.01, 0.0, 0.0, epochs=2)
    dies = Run(4, make("constant"), 1e30, 0.0, 0.0)
    results = train(recipe, [*family()[:1], other, dies], digits, device=CPU)
    assert [result.outcome for result in results] == ["finished", "finished", "diverged"]
    assert lane_updates == [3] * 5 + [2] * 5 + [1] * 30


def test_one_run_of_a_lane_may_diverge_and_the_others_go_on(digits):
    recipe = Recipe("small-cnn", epochs=4, batch_size=32)
    deadly = make("exp_loss", gain=1000.0, max_scale=1e300, signal="epoch")
    runs = [Run(1, deadly, 0.05, 0.9, 0.0), Run(1, make("constant"), 0.05, 0.9, 0.0)]
    wild, calm = train(recipe, runs, digits, device=CPU)
    assert (wild.outcome, wild.epochs_done) == ("diverged", 1)
    assert_same(train(recipe, runs[1:], digits, device=CPU)[0], calm)


@pytest.mark.parametrize("width", [2, 3, 8, pytest.param(5, marks=pytest.mark.soak)])
def test_how_many_models_go_through_the_net_at_once_changes_no_bit(digits, width):
    recipe = Recipe("small-cnn", epochs=2, batch_size=32)
    runs = [replace(run, seed=seed) for seed, run in enumerate(family())]
    wide = train(recipe, runs, digits, device=CPU, read_test=True)
    for a, b in zip(wide, train(recipe, runs, digits, device=CPU, read_test=True, width=width), strict=True):
        assert_same(a, b)


def test_dropout_is_the_runs_own_however_they_are_computed(digits):
    grown = {
        name: replace(
            part, images=part.images[:64].repeat_interleave(3, 2).repeat_interleave(3, 3), labels=part.labels[:64]
        )
        for name in ("train", "validation", "signal", "test")
        for part in [getattr(digits, name)]
    }
    data = replace(digits, **grown)
    recipe = Recipe("lenet", epochs=3, batch_size=16, dropout=0.5)
    runs = [
        Run(1, make("constant"), 0.05, 0.9, 0.0),
        Run(1, make("multi_step", milestones=[1], gamma=0.1), 0.05, 0.9, 0.0),
    ]
    runs += [Run(2, make("constant"), 0.05, 0.9, 0.0, epochs=1), Run(1, make("cosine", floor=0.0), 0.02, 0.9, 0.0)]
    together = train(recipe, runs, data, device=CPU, width=2)
    for run, result in zip(runs, together, strict=True):
        assert_same(train(recipe, [run], data, device=CPU)[0], result)
