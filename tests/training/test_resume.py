"""A training that is interrupted after any update and resumed cannot be told from one that never was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from decaybench import models
from decaybench.training import Average, Checkpoint, Interrupted, OptimizerForm, graph, lanes, train
from training import interrupted
from training.interrupted import (
    BATCH,
    CPU,
    EPOCHS,
    RECIPE,
    STEPS,
    Keeps,
    bits,
    dropping,
    dying,
    gradient_rules,
    mixed,
    normed,
    trained,
)
from training.settings import TOGETHER


@pytest.fixture(scope="module")
def digits():
    return interrupted.data()


CASES = {
    "sgd": ({}, mixed, {}),
    "gradients": ({}, gradient_rules, {}),
    "averages of all": (TOGETHER[0], mixed, {}),
    "averages of the last": (TOGETHER[1], mixed, {}),
    "adam": ({"form": OptimizerForm("adam")}, mixed, {}),
    "schedule-free": ({"form": OptimizerForm("schedule-free")}, mixed, {}),
    "prodigy": ({"form": OptimizerForm("prodigy")}, mixed, {}),
    "dropout": ({"model": "dropping"}, mixed, {}),
    "dropout in parts": ({"model": "dropping", "batch_size": "full", "epochs": 8}, mixed, {"width": 2}),
    "batch norm": ({"model": "normed"}, mixed, {}),
    "batch norm of averages": ({"model": "normed", "form": OptimizerForm(average=Average(last=2))}, mixed, {}),
    "one by one": ({"model": "normed"}, mixed, {"width": 1}),
    "chunks": ({}, mixed, {"captured": True}),
    "chunks of a run that diverges": ({}, dying, {"captured": True}),
    "chunks with dropout": ({"model": "dropping", **TOGETHER[1]}, mixed, {"captured": True}),
    "bf16": ({"precision": "bf16"}, mixed, {}),
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small models, and so few updates in a chunk and examples in a micro-batch that there are several."""
    for builder in (dropping, normed):
        monkeypatch.setitem(models.MODELS._built_in, builder.__name__, builder)
    monkeypatch.setattr(graph, "LENGTH", 2)
    monkeypatch.setattr(lanes, "MICRO_BATCH", BATCH)


def assert_same(ours, theirs, since):
    """Equal from this checkpoint on."""
    kept, curves, results, done = theirs
    assert [bits(each) for each in ours[0]] == [bits(each) for each in kept[since + 1 :]]
    assert [bits(each) for each in ours[1]] == [bits(each) for each in curves if each.epoch > kept[since].epochs]
    assert [bits(each) for each in ours[2]] == [bits(each) for each in results]
    assert ours[3] == done


POINTS = (STEPS - 1, 4)  # the last update of an epoch, and the one at which a run diverges and two part
MORE = (0, *POINTS, 7)
EVERY = [
    pytest.param(case, range(2 * EPOCHS * STEPS), marks=pytest.mark.soak, id=f"{case}, every update") for case in CASES
]


@pytest.mark.parametrize(
    ("case", "points"), [*((case, MORE if case in ("sgd", "chunks") else POINTS) for case in CASES), *EVERY]
)
def test_a_training_that_is_resumed_has_the_bits_of_one_that_never_stopped(digits, case, points):
    settings, runs, how = CASES[case]
    whole = trained(digits, settings, runs(), how)
    for point in points:
        if point < len(whole[0]):
            assert_same(trained(digits, settings, runs(), how, resume=whole[0][point]), whole, point)


def test_what_happens_between_the_checkpoints(digits):
    """The table above would prove little if nothing happened in its trainings."""
    kept, _, results, stopped = trained(digits, {}, mixed(), {})
    positions = [(epoch, made) for epoch in range(EPOCHS) for made in range(1, STEPS + 1)]
    assert [(each.epochs, each.updates) for each in kept] == positions
    assert [len(each.seeds) for each in kept[:5]] == [4, 4, 4, 3, 4]
    assert kept[5].lane[:6] != kept[6].lane[:6]  # rules that observe epochs
    assert [result.diverged_step for result in results[-2:]] == [4, 1]
    assert stopped == [3]
    assert 5 in kept[6].record["tests"]


@pytest.mark.parametrize("case", ["sgd", "chunks with dropout"])
def test_it_may_be_interrupted_again_and_again(digits, case):
    settings, runs, how = CASES[case]
    kept, curves, results, done = trained(digits, settings, runs(), how)
    resume, lives, written = None, [], {}
    for _ in kept:
        life, reported, ended, _ = trained(digits, settings, runs(), how, resume=resume, most=1)
        assert ended is None
        (resume,) = life
        lives.append(resume)
        written |= {each.epoch: each for each in reported}
        assert sorted(written) == list(range(1, resume.epochs + 1))
    assert [bits(each) for each in lives] == [bits(each) for each in kept]
    last = trained(digits, settings, runs(), how, resume=resume)
    assert_same(last, (kept, curves, results, done), len(kept) - 1)
    written |= {each.epoch: each for each in last[1]}
    assert [bits(each) for each in written.values()] == [bits(each) for each in curves]


def test_a_keeper_changes_nothing_and_saves_only_when_it_is_due(digits):
    class Counts(Keeps):
        asked = 0

        def due(self):
            self.asked += 1
            return self.asked % 5 == 0

    keeper, how = Counts(), {"device": CPU, "read_test": True}
    kept = train(RECIPE, mixed(), digits, keeper=keeper, **how)
    assert [bits(each) for each in kept] == [bits(each) for each in train(RECIPE, mixed(), digits, **how)]
    assert keeper.asked == EPOCHS * STEPS
    assert [(each.epochs, each.updates) for each in keeper.kept] == [(1, 2), (3, 1)]


def test_the_time_before_the_checkpoint_counts_in_its_epoch_only(digits):
    kept, _, _, _ = trained(digits, {}, mixed(), {}, most=5)
    resume = replace(kept[-1], seconds=1000.0)
    later, curves, _, _ = trained(digits, {}, mixed(), {}, resume=resume)
    assert later[0].seconds > 1000
    assert [each.seconds > 1000 for each in curves] == [True, False, False]


@pytest.mark.cuda
@pytest.mark.parametrize("case", ["sgd", "dropout", "batch norm of averages"])
def test_a_training_on_a_gpu_is_resumed(digits, case):
    settings, runs, _ = CASES[case]
    gpu, keeper, curves, later = torch.device("cuda"), Keeps(most=4), [], []
    recipe = replace(RECIPE, **settings)
    whole = train(recipe, runs(), digits, device=gpu, read_test=True, on_epoch=curves.append)
    with pytest.raises(Interrupted):
        train(recipe, runs(), digits, device=gpu, read_test=True, keeper=keeper)
    resume = Checkpoint.from_bytes(keeper.kept[-1].to_bytes())
    resumed = train(recipe, runs(), digits, device=gpu, read_test=True, resume=resume, on_epoch=later.append)
    assert [each.epoch for each in later] == list(range(resume.epochs + 1, EPOCHS + 1))
    for a, b in zip(curves[resume.epochs :], later, strict=True):
        np.testing.assert_allclose(a.train_loss[a.alive], b.train_loss[b.alive], atol=1e-3)
    for a, b in zip(whole, resumed, strict=True):
        assert (a.outcome, a.epochs_done, a.updates_computed) == (b.outcome, b.epochs_done, b.updates_computed)
        np.testing.assert_allclose(a.trace, b.trace, rtol=1e-3)
