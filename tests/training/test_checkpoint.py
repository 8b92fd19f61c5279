"""A training that is interrupted after any update and resumed cannot be told from one that never was."""

import io
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from decaybench import models
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.schedules import SCHEDULES
from decaybench.training import (
    Average,
    Checkpoint,
    CheckpointError,
    EpochCurves,
    Interrupted,
    OptimizerForm,
    Recipe,
    Run,
    TrainingResult,
    graph,
    lanes,
    train,
)
from training.settings import TOGETHER

CPU = torch.device("cpu")
STEPS, BATCH = 3, 8  # updates per epoch, examples per update
EPOCHS = 4
RECIPE = Recipe("small-cnn", epochs=EPOCHS, batch_size=BATCH)


@pytest.fixture(scope="module")
def digits():
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0, train_size=STEPS * BATCH, signal=True))

    def first(part, n):
        return replace(part, images=part.images[:n], labels=part.labels[:n])

    few = {name: first(getattr(data, name), 6) for name in ("validation", "signal", "test")}
    return replace(data, **few)


def make(kind, **fields):
    return SCHEDULES[kind](**fields)


def mixed():
    """Runs that part within an epoch and at its end, rules with memory, a short run, and two that diverge."""
    schedules = [
        make("constant"),
        make("exponential", decay_rate=0.5, decay_steps=4, staircase=True),  # parts at update 4, within an epoch
        make("reduce_on_plateau", factor=0.5, patience=0, cooldown=0, threshold=0.9, signal="held_out"),
        make("exp_loss", gain=0.1, signal="ema"),
        make("bold_driver", up=1.1, down=0.5),
        make("constant"),
    ]
    runs = [Run(1, schedule, 0.05, 0.9, 1e-4) for schedule in schedules]
    runs[-1] = replace(runs[-1], epochs=2)
    # Weight decay makes the first one's weights grow 29 times per update, so that it diverges later than the other.
    return [*runs, Run(2, make("constant"), 1.0, 0.0, 30.0), Run(3, make("constant"), 1e30, 0.0, 0.0)]


def gradient_rules():
    kinds = {"polyak": {"c": 0.5}, "l4": {"alpha": 0.1}, "hypergradient": {"beta": 1e-4}}
    return [*(Run(1, make(kind, **own), 0.02, 0.9, 1e-4) for kind, own in kinds.items()), *mixed()[:2]]


def dropping(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, classes))


def normed(shape, classes):
    return nn.Sequential(nn.Conv2d(1, 3, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, classes))


class Median:
    """Ends the runs that are worse than the median after the second epoch, and remembers that it has."""

    def __init__(self, done=None):
        self.done = done or []

    def __call__(self, curves):
        cost = np.where(curves.alive, curves.validation_loss, np.inf)
        stopped = (cost > np.median(cost)) & (curves.epoch == 2) & curves.alive
        self.done = [*self.done, *np.flatnonzero(stopped).tolist()]
        return stopped


class Keeps:
    """Keeps every checkpoint, with what ``stop`` remembers, and leaves after so many."""

    def __init__(self, stop=None, most=None):
        self.stop, self.most, self.kept = stop, most, []

    def due(self):
        return True

    def leave(self):
        return len(self.kept) + 1 == self.most

    def save(self, checkpoint):
        self.kept.append(replace(checkpoint, extra=self.stop and self.stop.done))


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


def trained(data, settings, runs, how, *, resume=None, most=None):
    """All that anyone can tell of a training: its checkpoints, curves, results, and what its ``stop`` remembers."""
    resume = resume and Checkpoint.from_bytes(resume.to_bytes())
    stop, curves = Median(resume.extra if resume else None), []
    keeper = Keeps(stop, most)
    recipe, results = replace(RECIPE, **settings), None
    try:
        results = train(
            recipe,
            runs,
            data,
            device=CPU,
            read_test=True,
            on_epoch=curves.append,
            stop=stop,
            keeper=keeper,
            resume=resume,
            **how,
        )
    except Interrupted:
        assert len(keeper.kept) == most
    return keeper.kept, curves, results, stop.done


def bits(value):
    """The same without wall times, and with tensors and arrays as bytes, for a comparison bit for bit."""
    if isinstance(value, Checkpoint):
        plain = {each.name: getattr(value, each.name) for each in fields(value)}
        return tree_map(bits, {**plain, "seconds": 0.0, "record": without_seconds(plain["record"])})
    if isinstance(value, EpochCurves | TrainingResult):
        return {name: bits(each) for name, each in vars(value).items() if name != "seconds"}
    if isinstance(value, Tensor):
        return value.dtype, tuple(value.shape), value.numpy().tobytes()
    return value.tobytes() if isinstance(value, np.ndarray) else value


def without_seconds(record):
    return {**record, "curves": {name: column for name, column in record["curves"].items() if name != "seconds"}}


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


@pytest.fixture(scope="module")
def saved(digits):
    """A checkpoint within the second epoch."""
    return trained(digits, {}, mixed(), {}, most=5)[0][-1]


@pytest.fixture(scope="module")
def data(saved):
    """Its bytes."""
    return saved.to_bytes()


def test_damaged_bytes_are_refused(data):
    flips = [*range(30), *range(30, len(data), 997)]
    flipped = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in flips]
    cut = [data[:n] for n in (0, 10, 30, len(data) // 2, len(data) - 1)]
    for damaged in (*flipped, *cut, data + b"\0"):
        with pytest.raises(CheckpointError):
            Checkpoint.from_bytes(damaged)
    other = data.replace(b"checkpoint 1\n", b"checkpoint 2\n", 1)
    with pytest.raises(CheckpointError, match="not a checkpoint of format 1"):
        Checkpoint.from_bytes(other)


@pytest.mark.parametrize("content", [b"", [], {}, {"training": ""}, EpochCurves], ids=str)
def test_sound_bytes_that_hold_something_else_are_refused(data, content):
    file = io.BytesIO()
    if content != b"":
        torch.save(content, file)
    content = file.getvalue()
    head = data[: data.index(b"\n") + 1]
    with pytest.raises(CheckpointError, match="not a checkpoint of format 1"):
        Checkpoint.from_bytes(head + zlib.crc32(content).to_bytes(4) + content)


@pytest.mark.parametrize(
    ("settings", "runs", "how"),
    [
        ({"clip_norm": 1.0}, mixed(), {}),
        ({"model": "dropping"}, mixed(), {}),
        ({}, mixed()[:-1], {}),
        ({}, [replace(mixed()[0], seed=5), *mixed()[1:]], {}),
        ({}, [replace(mixed()[0], learning_rate=0.04), *mixed()[1:]], {}),
        ({}, mixed(), {"captured": True}),
        ({}, mixed(), {"width": 1}),
    ],
    ids=str,
)
def test_another_trainings_checkpoint_is_refused(digits, saved, settings, runs, how):
    with pytest.raises(CheckpointError, match="that of another training"):
        trained(digits, settings, runs, how, resume=saved)


def without(mapping, name):
    return {key: value for key, value in mapping.items() if key != name}


CHANGES = {
    "parameters of another model": lambda c: {"tensors": {**c.tensors, "parameters": c.tensors["parameters"][:, 1:]}},
    "another dtype": lambda c: {"tensors": {**c.tensors, "updates": c.tensors["updates"].double()}},
    "no buffers": lambda c: {"tensors": without(c.tensors, "buffers")},
    "one more memory": lambda c: {"tensors": {**c.tensors, "more": c.tensors["parameters"]}},
    "a number": lambda c: {"tensors": {**c.tensors, "parameters": 1.0}},
    "more lanes": lambda c: {"seeds": [*c.seeds, 1]},
    "an unknown seed": lambda c: {"seeds": [9, *c.seeds[1:]]},
    "an empty lane": lambda c: {"lane": [0] * len(c.lane)},
    "fewer runs": lambda c: {"lane": c.lane[:-1]},
    "fewer rules": lambda c: {"state": c.state[:-1]},
    "fewer generators": lambda c: {"generators": without(c.generators, 1)},
    "half a generator": lambda c: {"generators": {seed: state[:99] for seed, state in c.generators.items()}},
    "more epochs": lambda c: {"epochs": 2},
    "more updates": lambda c: {"updates": STEPS + 1},
    "other traces": lambda c: {"record": {**c.record, "traces": c.record["traces"][..., 1:]}},
    "no curves": lambda c: {"record": without(c.record, "curves")},
    "fewer runs in the curves": lambda c: {
        "record": {**c.record, "curves": {name: x[:, 1:] if x.ndim == 2 else x for name, x in c.record["curves"].items()}}
    },
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_that_does_not_fit_is_refused_before_any_update(digits, saved, change, lane_updates):
    with pytest.raises(CheckpointError, match="does not fit this training"):
        trained(digits, {}, mixed(), {}, resume=replace(saved, **CHANGES[change](saved)))
    assert not lane_updates


@pytest.mark.cuda
@pytest.mark.parametrize("case", ["sgd", "dropout", "batch norm of averages"])
def test_a_training_on_a_gpu_is_resumed(digits, case):
    settings, runs, _ = CASES[case]
    gpu, keeper, later = torch.device("cuda"), Keeps(most=4), []
    recipe = replace(RECIPE, **settings)
    whole = train(recipe, runs(), digits, device=gpu, read_test=True)
    with pytest.raises(Interrupted):
        train(recipe, runs(), digits, device=gpu, read_test=True, keeper=keeper)
    resume = Checkpoint.from_bytes(keeper.kept[-1].to_bytes())
    resumed = train(recipe, runs(), digits, device=gpu, read_test=True, resume=resume, on_epoch=later.append)
    assert [each.epoch for each in later] == list(range(resume.epochs + 1, EPOCHS + 1))
    for a, b in zip(whole, resumed, strict=True):
        assert (a.outcome, a.epochs_done, a.updates_computed) == (b.outcome, b.epochs_done, b.updates_computed)
        np.testing.assert_allclose(a.trace, b.trace, rtol=1e-3)
        assert (a.test_loss is None) == (b.test_loss is None)
        if a.validation_loss is not None:
            assert a.validation_loss == pytest.approx(b.validation_loss, abs=1e-3)
