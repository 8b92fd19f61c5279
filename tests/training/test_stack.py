"""A run in a stack has the numbers that it has alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.data.augment import Crop, Cutout, Flip
from decaybench.schedules import SCHEDULES, Bank
from decaybench.training import OptimizerForm, Recipe, Run, train, update
from reference import plain_loop
from training.settings import ALONE, SETTINGS, TOGETHER

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    return prepare(dataset, draw_splits(dataset, 0, train_size=320, signal=True))


@pytest.fixture(scope="module")
def few(digits):
    """So few that a plain loop of 500 updates takes a second."""
    return first(digits, 80)


def make(kind: str, **fields):
    return SCHEDULES[kind](**fields)


def eight_runs() -> list[Run]:
    return [
        Run(1, make("constant"), 0.05, 0.9, 0.0),
        Run(1, make("time_based", decay=0.01), 0.1, 0.0, 1e-4),
        Run(2, make("exponential", decay_rate=0.5, decay_steps=40, staircase=True), 0.08, 0.8, 0.0),
        Run(3, make("cosine", floor=0.0, warmup=7), 0.1, 0.5, 1e-3),
        Run(4, make("exp_loss", gain=0.7), 0.004, 0.9, 0.0),
        Run(5, make("exp_loss_relative", gain=1.0, floor=0.01, signal="held_out"), 0.05, 0.6, 0.0),
        Run(6, make("reduce_on_plateau", factor=0.5, patience=1, cooldown=0), 0.2, 0.3, 0.0),
        Run(7, make("exp_loss", gain=0.5, signal="epoch"), 0.02, 0.0, 0.0),
    ]


def gradient_runs() -> list[Run]:
    """Rules that look at gradients, beside one that does not."""
    return [
        Run(1, make("polyak", c=0.5), 0.5, 0.0, 0.0),
        Run(2, make("polyak", c=1.0, smoothing=False), 0.1, 0.5, 1e-3),
        Run(3, make("alig"), 0.2, 0.3, 0.0),
        Run(4, make("l4", alpha=0.1), 0.1, 0.6, 1e-3),
        Run(5, make("hypergradient", beta=1e-4), 0.02, 0.9, 1e-3),
        Run(6, make("constant"), 0.05, 0.9, 0.0),
    ]


RECIPE = Recipe("small-cnn", epochs=50, batch_size=8, precision="fp64")  # 10 updates an epoch of few
# (examples, batch size, what learning rates are divided by): with small batches high rates are at the edge of
# stability, where the least difference grows; the larger ones keep them.
SIZES = [(80, 8, 4), pytest.param((320, 32, 1), marks=pytest.mark.soak)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("epochs", "settings"),  # epochs of ten updates
    [
        (8, {}),
        pytest.param(50, {}, marks=pytest.mark.soak),
        (4, {"form": OptimizerForm(nesterov=True)}),
        (4, {"form": OptimizerForm(velocity="keras"), "decay_biases": False}),
        (4, {"form": OptimizerForm(nesterov=True, velocity="keras"), "decay_biases": False}),
        (4, {"form": OptimizerForm("adam")}),
        *((4, settings) for settings in ALONE),
        *((4, settings) for settings in TOGETHER),
        *(pytest.param(30, settings, marks=pytest.mark.soak) for settings in SETTINGS),
    ],
    ids=str,
)
def test_eight_runs_equal_eight_plain_loops(digits, epochs, settings, size):
    examples, batch, slower = size
    data, recipe = first(digits, examples), replace(RECIPE, epochs=epochs, batch_size=batch, **settings)
    form = recipe.form
    slower = 50 if form.kind in ("adam", "adamw") else slower
    runs = [replace(run, learning_rate=run.learning_rate / slower) for run in eight_runs()]
    if form.nesterov:  # torch refuses Nesterov without momentum
        runs = [replace(run, momentum=run.momentum or 0.4) for run in runs]
    curves = []
    results = train(recipe, runs, data, device=CPU, read_test=True, on_epoch=curves.append)
    for i, (run, result) in enumerate(zip(runs, results, strict=True)):
        plain = plain_loop(recipe, run, data)
        assert result.outcome == "finished"
        assert len(result.trace) == len(plain.rates) == epochs * 10
        np.testing.assert_array_equal(result.trace, np.array(plain.rates, dtype=np.float32))
        ours = np.array([[c.train_loss[i], c.validation["loss"][i], c.validation["accuracy"][i]] for c in curves])
        theirs = np.array([plain.train_loss, plain.validation_loss, plain.validation_accuracy]).T
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
        np.testing.assert_allclose(result.test["loss"], plain.test_loss, rtol=0, atol=1e-10)
        assert result.test["accuracy"] == pytest.approx(plain.test_accuracy, abs=1e-12)


def test_fp32_follows_the_plain_loop_for_fifty_updates(few):
    recipe = Recipe("small-cnn", epochs=50, batch_size=80, precision="fp32")  # one update an epoch: every loss is seen
    curves = []
    # At the edge of stability the least difference grows: rates at which the loss falls.
    runs = [replace(run, learning_rate=run.learning_rate / 4) for run in eight_runs()[1::2]]
    train(recipe, runs, few, device=CPU, on_epoch=curves.append)
    for i, run in enumerate(runs):
        losses = [epoch.train_loss[i] for epoch in curves]
        np.testing.assert_allclose(losses, plain_loop(recipe, run, few).losses, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "size", [(160, 16, 5), pytest.param((320, 32, 20), marks=pytest.mark.soak)], ids=str
)  # examples, batch size, epochs of ten updates
@pytest.mark.parametrize("settings", [{}, {"form": OptimizerForm(nesterov=True)}, {"clip_norm": 0.5}], ids=str)
def test_gradient_rules_equal_their_plain_loops(digits, settings, size):
    examples, batch, epochs = size
    digits = first(digits, examples)
    recipe = replace(RECIPE, epochs=epochs, batch_size=batch, **settings)
    runs = gradient_runs()
    if recipe.form.nesterov:
        runs = [replace(run, momentum=run.momentum or 0.4) for run in runs]
    results = train(recipe, runs, digits, device=CPU, read_test=True)
    for run, result in zip(runs, results, strict=True):
        plain = plain_loop(recipe, run, digits)
        np.testing.assert_allclose(result.trace, plain.rates, rtol=1e-6)
        np.testing.assert_allclose(result.test["loss"], plain.test_loss, rtol=0, atol=1e-10)


def test_bits_of_gradient_rules_do_not_depend_on_k_or_on_dead_neighbours(digits):
    recipe, runs = Recipe("small-cnn", epochs=2, batch_size=32), gradient_runs()
    together = train(recipe, runs, digits, device=CPU, read_test=True)
    for i in range(6):
        assert_same(train(recipe, [runs[i]], digits, device=CPU, read_test=True)[0], together[i])
    wild = train(recipe, [replace(runs[5], learning_rate=1e30), *runs], digits, device=CPU, read_test=True)
    assert wild[0].outcome == "diverged"
    for i in range(6):
        assert_same(wild[i + 1], together[i])


def test_gradients_are_only_measured_for_rules_that_ask():
    def bank(*kinds: str) -> Bank:
        schedules = [run.schedule for run in gradient_runs() if run.schedule.kind in kinds]
        return Bank(schedules, torch.ones(len(schedules), dtype=torch.float64), 10, 5)

    assert bank("constant").observes == frozenset()
    assert bank("constant", "alig").observes == {"grad_norm_sq"}
    assert bank("l4", "hypergradient").observes == {"grad_dot_direction", "grad_dot_previous"}


@pytest.mark.parametrize(("i", "asks", "remembers"), [(5, False, False), (2, True, False), (4, True, True)])
def test_a_stack_that_does_not_ask_pays_nothing(digits, monkeypatch, i, asks, remembers):
    measured = []
    before = update.observed

    def counting(names, carried, gradient, direction):
        measured.append((bool(names), "last_direction" in carried))
        return before(names, carried, gradient, direction)

    monkeypatch.setattr(update, "observed", counting)
    train(Recipe("small-cnn", epochs=1, batch_size=32), [gradient_runs()[i]], digits, device=CPU)
    assert measured == [(asks, remembers)] * 10


@pytest.mark.parametrize(
    ("precision", "bad"),
    [
        *(("fp32", 1e30), ("fp64", 1e38), ("bf16", 1e30)),
        *(pytest.param(*case, marks=pytest.mark.soak) for case in (("fp32", 1e38), ("fp64", 1e30), ("bf16", 1e38))),
    ],
)
def test_a_diverging_neighbour_changes_no_bit(digits, precision, bad):
    recipe = replace(RECIPE, epochs=2, batch_size=32, precision=precision)
    runs = eight_runs()
    calm = train(recipe, runs, digits, device=CPU, read_test=True)
    runs[3] = replace(runs[3], learning_rate=bad)
    wild = train(recipe, runs, digits, device=CPU, read_test=True)
    assert wild[3].outcome == "diverged"
    for i in set(range(8)) - {3}:
        assert_same(calm[i], wild[i])


def assert_same(a, b) -> None:
    """Equal bit for bit, but for what was computed once for both."""
    assert a.trace.tobytes() == b.trace.tobytes()
    assert replace(a, trace=None, updates_computed=0) == replace(b, trace=None, updates_computed=0)


@pytest.mark.parametrize(
    ("model", "batch", "settings"),
    [
        ("small-cnn", 64, {}),
        ("small-cnn", 1, {}),
        ("small-cnn", "full", {}),
        ("lenet", 10, {}),
        *(("small-cnn", 64, settings) for settings in TOGETHER),
        *(pytest.param("small-cnn", 64, settings, marks=pytest.mark.soak) for settings in ALONE),
    ],
    ids=str,
)
def test_bits_do_not_depend_on_k_or_place_in_fp32(digits, model, batch, settings):
    data = digits if batch in (64, "full") else first(digits, max(30, 10 * batch))
    data = data if model == "small-cnn" else enlarged(data)
    recipe = Recipe(model, epochs=2 if model == "small-cnn" else 1, batch_size=batch, **settings)
    runs = eight_runs()
    together = train(recipe, runs, data, device=CPU, read_test=True)
    for i in (0, 4, 6):
        assert_same(train(recipe, [runs[i]], data, device=CPU, read_test=True)[0], together[i])
    reversed_ = train(recipe, runs[::-1] + runs[:3], data, device=CPU, read_test=True)
    for i in range(8):
        assert_same(reversed_[7 - i], together[i])
    assert_same(reversed_[8], together[0])


def first(digits, n: int):
    """The first n examples of each split."""

    def cut(examples):
        return replace(examples, images=examples.images[:n], labels=examples.labels[:n])

    parts = {name: cut(getattr(digits, name)) for name in ("train", "validation", "signal", "test")}
    return replace(digits, **parts)


def enlarged(digits):
    """The 8x8 digits at 24x24, large enough for lenet."""

    def grow(examples):
        images = examples.images.repeat_interleave(3, 2).repeat_interleave(3, 3)
        return replace(examples, images=images)

    return replace(
        digits,
        train=grow(digits.train),
        validation=grow(digits.validation),
        signal=grow(digits.signal),
        test=grow(digits.test),
    )


@pytest.mark.parametrize("settings", [{}, {"augment": (Crop(1), Flip(), Cutout(3))}], ids=str)
def test_full_batch_is_one_update_an_epoch_over_all_examples(few, settings):
    recipe = Recipe("small-cnn", epochs=12, batch_size="full", precision="fp64", **settings)
    run = Run(9, make("exp_loss", gain=0.5), 0.05, 0.9, 1e-4)
    result = train(recipe, [run], few, device=CPU)[0]
    plain = plain_loop(recipe, run, few)
    assert len(result.trace) == 12
    np.testing.assert_allclose(result.validation["loss"], plain.validation_loss[-1], rtol=0, atol=1e-10)


def test_divergence_is_dated_and_the_epoch_it_dies_in_leaves_no_row(digits):
    recipe = Recipe("small-cnn", epochs=4, batch_size=32)
    # exp_loss may multiply by up to 1e35 here: it sees the first epoch's loss, so the second epoch is the deadly one.
    late = make("exp_loss", gain=1000.0, max_scale=1e35, signal="epoch")
    runs = [Run(1, make("constant"), 0.05, 0.9, 0.0), Run(1, late, 0.05, 0.0, 0.0)]
    curves = []
    calm, wild = train(recipe, runs, digits, device=CPU, on_epoch=curves.append)
    assert calm.outcome == "finished"
    assert calm.epochs_done == 4
    assert wild.outcome == "diverged"
    assert wild.epochs_done == 1
    assert wild.validation["loss"] == curves[0].validation["loss"][1]
    assert [bool(epoch.alive[1]) for epoch in curves] == [True, False, False, False]
    assert wild.diverged_step is not None
    assert len(wild.trace) in (wild.diverged_step, wild.diverged_step + 1)
    assert np.isfinite(wild.trace).all()
    assert 10 <= wild.diverged_step < 20
    for epoch in curves:
        assert np.isfinite(epoch.validation["loss"][0])


def test_all_dead_stops_early(digits):
    recipe = Recipe("small-cnn", epochs=1000, batch_size=32)
    curves = []
    (result,) = train(recipe, [Run(1, make("constant"), 1e30, 0.9, 0.0)], digits, device=CPU, on_epoch=curves.append)
    assert result.outcome == "diverged"
    assert curves == []


def test_without_read_test_the_test_split_is_not_touched(digits):
    (result,) = train(
        Recipe("small-cnn", epochs=1, batch_size=64),
        [Run(1, make("constant"), 0.05, 0.9, 0.0)],
        replace(digits, test=replace(digits.test, labels=digits.test.labels + 1000)),  # would fail if read
        device=CPU,
    )
    assert result.test["loss"] is None
    assert result.test["accuracy"] is None


def test_dropout_is_each_runs_own(digits):
    data = enlarged(first(digits, 64))
    recipe = Recipe("lenet", epochs=2, batch_size=16, precision="fp64", dropout=0.5)
    runs = eight_runs()[:4]
    together = train(recipe, runs, data, device=CPU, read_test=True)
    for i in (0, 1, 3):  # 0 and 1 have one seed, and so one mask
        plain = plain_loop(recipe, runs[i], data)
        np.testing.assert_allclose(together[i].validation["loss"], plain.validation_loss[-1], rtol=0, atol=1e-10)
        np.testing.assert_allclose(together[i].test["loss"], plain.test_loss, rtol=0, atol=1e-10)
    fp32 = replace(recipe, precision="fp32")
    alone = train(fp32, [runs[3]], data, device=CPU)[0]
    assert_same(alone, train(fp32, runs, data, device=CPU)[3])


@pytest.mark.cuda
def test_cuda_agrees_with_cpu_in_fp64(few):
    recipe = replace(RECIPE, epochs=5)
    ours = train(recipe, eight_runs(), few, device=torch.device("cuda"), read_test=True)
    for here, there in zip(train(recipe, eight_runs(), few, device=CPU, read_test=True), ours, strict=True):
        np.testing.assert_allclose(here.validation["loss"], there.validation["loss"], rtol=0, atol=1e-8)
        np.testing.assert_allclose(here.trace, there.trace, rtol=1e-6)
