"""The plan in plain numbers, of balanced and of adaptive sweeps."""

import io
import random
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

import decaybench
from decaybench import UserError, models
from decaybench.data import draw_splits, load_dataset
from decaybench.runner import check_sweep, run_sweep
from decaybench.sweep import Sweep

MAPPING = {
    "name": "checked",
    "task": {"data": "digits", "model": "small-cnn", "epochs": 2, "batch_size": 64, "train_size": 320},
    "budget": {"trials": 3, "repeats": 2, "confirm_seeds": 2, "lengths": [0.5, 1.0]},
    "strategies": {"constant": {}, "late": {"schedule": "multi_step"}, "exp_loss": {"momentum": 0.5}},
}


def checked(*, strategies=MAPPING["strategies"], task=MAPPING["task"], **search):
    sweep = Sweep.from_mapping(MAPPING | {"task": task, "search": search, "strategies": strategies}, "x")
    return check_sweep(sweep, data_root=None, device="cpu")


def test_a_row_for_each_strategy_and_length():
    plan = checked(sampler="tpe")
    assert [(row.strategy, row.length) for row in plan.rows[:3]] == [
        ("constant", 0.5),
        ("constant", 1.0),
        ("late", 0.5),
    ]
    assert {(row.least, row.most) for row in plan.rows} == {(6, 6)}
    late = plan.rows[3]
    assert (late.schedule, late.family, late.updates) == ("multi_step", "fixed", 2 * 5)
    assert late.searched == ("learning_rate", "milestones", "gamma")
    least, most = plan.costs["least"], plan.costs["most"]
    assert (least.search, most.search) == (36, 36) and plan.looks == (2,)
    assert (least.retraining, most.retraining) == (2 * 4 * 2 + 2, 3 * 4 * 2 + 2)
    assert most.updates == 18 * 5 + 18 * 10 + most.retraining * 10


@pytest.mark.parametrize(
    ("metric", "images", "rope", "least"),
    [
        ("accuracy", 300, 0.0, "0.006667"),
        ("accuracy", 300, 0.006666, "0.006667"),
        ("accuracy", 300, 0.006667, None),
        ("accuracy", 100, 0.0199, "0.02"),
        ("accuracy", 100, 0.02, None),
        ("loss", 300, 0.0, None),
    ],
)
def test_a_margin_below_two_test_images_is_refused_with_the_least_one(metric, images, rope, least):
    task = MAPPING["task"] | {"metric": metric, "test_size": images, "rope": rope}
    sweep = Sweep.from_mapping(MAPPING | {"task": task}, "my.toml")
    if least is None:
        assert check_sweep(sweep, data_root=None, device="cpu").examples["test"] == images
        return
    rule = f"must be >= {least} (2 of the {images} test images), got {rope:g}"
    with pytest.raises(UserError, match=f"^{re.escape(f'my.toml: task.rope: {rule}')}$"):
        check_sweep(sweep, data_root=None, device="cpu")


def test_looks_and_what_they_cost_at_least_and_at_most():
    budget = {"trials": 6, "repeats": {"from": 6, "to": 40}, "confirm_seeds": 0}
    plan = check_sweep(Sweep.from_mapping(MAPPING | {"budget": budget}, "x"), data_root=None, device="cpu")
    assert plan.looks == (6, 9, 12, 15, 18, 24, 30, 40)
    assert {name: (cost.repeats, cost.search) for name, cost in plan.costs.items()} == {
        "least": (6, 108),
        "likely": (14, 252),
        "most": (40, 720),
    }
    assert plan.testing == pytest.approx(300 / (3 * 320 * 2))


def test_an_adaptive_sweep_has_a_row_for_all_that_share_its_slots():
    plan = checked(sampler="tpe", allocation="adaptive")
    assert [row.length for row in plan.rows] == [0.5, 1.0]
    row = plan.rows[1]
    assert row.strategy == "any of 3 (shared trials)"
    assert row.schedule == "constant, multi_step, exp_loss"
    assert row.family == "fixed, reactive"
    assert (row.least, row.most, row.updates) == (18, 18, 2 * 5)
    assert row.searched[:3] == ("strategy", "learning_rate", "late.milestones")
    assert plan.costs["most"][1:4] == (36, 4 * 2, 18 * 5 + 18 * 10 + 8 * 10)


@pytest.mark.parametrize(
    ("augment", "line"),
    [
        (["flip", "crop8"], 'in "cropN", N must be at most 7 for images of 8x8 pixels, got "crop8"'),
        (["cutout9"], 'in "cutoutN", N must be at most 8 for images of 8x8 pixels, got "cutout9"'),
        (["crop7", "flip", "cutout8"], None),
    ],
)
def test_an_augmentation_must_fit_the_images(augment, line):
    task = MAPPING["task"] | {"augment": augment}
    if line is None:
        assert checked(task=task).classes == 10
    else:
        with pytest.raises(UserError, match=f"^x: task.augment: {line}$"):
            checked(task=task)


def test_what_pruning_may_save():
    assert checked().pruned == 0
    plan = checked(prune={"spare": 0.0})
    # of 3 slots one is worse than the median; of 2 epochs one is left, and runs of one epoch are never stopped
    assert plan.pruned == 3 / (3 * 3 * 3)
    assert plan.shared == 0


def test_only_runs_that_are_computed_alike_share_updates():
    """Of two lengths, the shorter run is the beginning of the longer one, unless they average other epochs."""

    def shared(**strategies):
        return checked(strategies=strategies, task=MAPPING["task"] | {"epochs": 4}).shared

    assert shared(constant={}) == shared(constant={"average": {"ema": 0.9}}) == pytest.approx(1 / 3)
    assert shared(constant={"average": {"last": 2}}) == 0
    assert shared(constant={}, again={"schedule": "constant"}) == pytest.approx(2 / 3)
    assert shared(constant={}, again={"schedule": "constant", "optimizer": "adam"}) == pytest.approx(1 / 3)


def test_the_number_of_classes_and_the_smallest():
    plan = checked()
    assert plan.classes == 10
    dataset = load_dataset("digits", None)
    counts = dataset.train_labels[draw_splits(dataset, 0, train_size=320).train].bincount()
    assert plan.smallest_class.train == int(counts.min()) < int(counts.max())
    assert plan.smallest_class.name == f"class {int(counts.argmin())}"
    assert plan.as_dict()["smallest_class"] == {"name": plan.smallest_class.name, "train": plan.smallest_class.train}


PNG = io.BytesIO()
Image.new("L", (8, 8)).save(PNG, "PNG")


@pytest.mark.parametrize(
    ("files", "column", "examples"),
    [
        (["train", "test"], "label", (50, 10, 60)),
        (["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"], "labels", (100, 20, 60)),
        (["train", "validation", "test"], "fine_label", (60, 60, 60)),
    ],
)
def test_folders_that_others_wrote(tmp_path, files, column, examples):
    """Beside the labels stands what pandas adds for an index."""
    (tmp_path / "mine").mkdir()
    cells = [{"bytes": PNG.getvalue(), "path": None}] * 60
    table = pa.table({"image": cells, column: [7, 8, 9] * 20, "__index_level_0__": list(range(60))})
    for file in files:
        pq.write_table(table, tmp_path / "mine" / f"{file}.parquet")
    task = {"data": "mine", "model": "small-cnn", "epochs": 1, "batch_size": 10}
    budget = {"trials": 1, "repeats": 1, "confirm_seeds": 1}
    sweep = Sweep.from_mapping(MAPPING | {"task": task, "budget": budget}, "x")
    plan = check_sweep(sweep, data_root=tmp_path, device="cpu")
    assert tuple(plan.examples[split] for split in ("train", "validation", "test")) == examples
    assert plan.classes == 3 and plan.smallest_class.train == examples[0] // 3


FEW = (
    "too few for statements, so the sweep ends at its first look with estimates: "
    "3 trials (at least 6), 2 repeats (at least 5)"
)


def test_a_warmup_longer_than_the_run_is_noted():
    assert checked().notes == (FEW,)
    plan = checked(strategies={"constant": {"warmup": 6}})
    assert plan.notes == (
        "strategies.constant.warmup: 6 updates, but a run of length 0.5 has 5: the warmup does not end before the run does",
        FEW,
    )


def test_a_run_says_so_too_while_there_is_something_to_train(tmp_path, undrawn):
    task = MAPPING["task"] | {"epochs": 1, "batch_size": 100, "validation_size": 50, "test_size": 50}
    budget = {"trials": 1, "repeats": 1, "confirm_seeds": 1}
    sweep = MAPPING | {"task": task, "budget": budget, "strategies": {"linear": {"warmup": 4}}}
    places = {"storage": f"sqlite:///{tmp_path}/d.db", "studies": tmp_path}
    url = places["storage"]
    line = r"^strategies.linear.warmup: 4 updates, but a run has 3: the warmup does not"
    with pytest.raises(UserWarning, match=line):  # as pytest has warnings raised
        decaybench.run(sweep, **places)
    assert not (tmp_path / "d.db").exists() and not (tmp_path / "small").exists()
    with pytest.warns(UserWarning, match=line) as noted:
        assert decaybench.run(sweep, **places).trained == 3  # a trial, retrained to be chosen, and once more
    assert [warning.filename for warning in noted] == [__file__]
    assert run_sweep(Sweep.from_mapping(sweep, "x"), url=url, data_root=None) == 0
    more = sweep | {"budget": budget | {"trials": 2}}
    with pytest.warns(UserWarning, match=line):
        assert run_sweep(Sweep.from_mapping(more, "x"), url=url, data_root=None) == 3


class Centred(nn.Module):
    """Subtracts a running mean of its inputs."""

    def __init__(self, shape, classes):
        super().__init__()
        self.head = nn.Linear(64, classes)
        self.register_buffer("mean", torch.zeros(64))

    def forward(self, x):
        x = x.flatten(1)
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return self.head(x - self.mean)


class Skips(nn.Module):
    """Stochastic depth with Python's generator."""

    def __init__(self, shape, classes):
        super().__init__()
        self.block, self.head = nn.Linear(64, 64), nn.Linear(64, classes)

    def forward(self, x):
        x = x.flatten(1)
        return self.head(x + self.block(x) if random.random() < 0.5 else x)


class Wide(nn.Module):
    """Fits 8x8 pixels, but not as bfloat16."""

    def __init__(self, shape, classes):
        super().__init__()
        self.head, self.gain = nn.Linear(64, classes), torch.linspace(0.5, 1.5, 64)

    def forward(self, x):
        return self.head(x.flatten(1) * self.gain)


@pytest.mark.parametrize(
    ("model", "precision", "says"),
    [
        (
            Centred,
            "fp32",
            "sweep: task.model: Centred changes the buffer mean in training, which the runs of a stack share",
        ),
        (
            Skips,
            "fp32",
            "sweep: task.model: Skips draws from Python's random in training, so a run cannot be repeated",
        ),
        (
            Wide,
            "bf16",
            "sweep: task.model: Wide cannot be trained in bf16: RuntimeError: mat1 and mat2 must have the same dtype",
        ),
        (
            lambda shape: None,
            "fp32",
            "sweep: task.model 'own' must build an nn.Module from the images' shape (1, 8, 8)",
        ),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, model, precision, says
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(models.MODELS._built_in, "own", model)
    mapping = MAPPING | {"task": MAPPING["task"] | {"model": "own", "precision": precision}}
    with pytest.raises(UserError) as of_check:
        check_sweep(Sweep.from_mapping(mapping, "sweep"), data_root=None, device="cpu")
    with pytest.raises(UserError) as of_run:
        decaybench.run(mapping, storage="sqlite:///new.db", studies="out")
    assert str(of_check.value) == str(of_run.value)
    assert str(of_run.value).startswith(says) and "\n" not in str(of_run.value)
    assert [path.name for path in tmp_path.iterdir()] == []
