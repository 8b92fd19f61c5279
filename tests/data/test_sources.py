"""Datasets: digits, folders, other packages, and what is wrong with a folder."""

import os
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from decaybench.data import load_dataset, sha256_of, sources
from decaybench.errors import UserError


def refused(name, root):
    with pytest.raises(UserError) as caught:
        load_dataset(name, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_digits():
    data = load_dataset("digits", None)
    assert data.name == "digits" and data.classes == 10 and data.validation_size == 300
    assert data.train_images.shape == (1497, 1, 8, 8) and data.test_images.shape == (300, 1, 8, 8)
    assert set(data.train_images.unique().tolist()) == {round(v * 255 / 16) for v in range(17)}
    assert 29 <= int(data.test_labels.bincount().min()) <= int(data.test_labels.bincount().max()) <= 31
    assert data.sha256 == load_dataset("digits", None).sha256


def test_digits_parts_hold_every_image_once():
    from sklearn.datasets import load_digits

    data = load_dataset("digits", None)
    got = torch.cat([data.train_images, data.test_images]).flatten(1).tolist()
    expected = np.rint(load_digits().images * 255 / 16).astype(int).reshape(1797, 64).tolist()
    assert sorted(got) == sorted(expected)


def test_a_folder(root):
    data = load_dataset("tiny", root)
    assert data.train_images.shape == (18, 1, 4, 4) and data.train_images.dtype == torch.uint8
    assert data.train_labels.tolist() == [2, 0, 1] * 6  # numbered by sorted value
    assert data.test_labels.tolist() == [1, 0]
    assert data.classes == 3 and data.validation_size == 3
    assert data.sha256 == sha256_of(data.train_images, data.train_labels, data.test_images, data.test_labels)


@pytest.mark.parametrize("coloured", ["train", "test"])
def test_channels_are_those_of_both_parts(write, root, coloured):
    labels = [30, 10, 20]
    write(root / "tiny" / f"{coloured}.parquet", labels, colour=True)
    data = load_dataset("tiny", root)
    assert data.train_images.shape[1] == data.test_images.shape[1] == 3
    plain = data.test_images if coloured == "train" else data.train_images
    assert torch.equal(plain[:, 0], plain[:, 2])


def test_classes_are_called_what_the_files_call_them(write, root):
    assert load_dataset("tiny", root).labels == (10, 20, 30)
    assert load_dataset("tiny", root).class_names == ()
    write(root / "tiny" / "train.parquet", [3, 1, 4] * 6, classes=["a", "cat", "b", "dog"])
    write(root / "tiny" / "test.parquet", [3, 1])
    data = load_dataset("tiny", root)
    assert (data.labels, data.class_names) == ((1, 3, 4), ("cat", "dog", ""))
    assert [data.called(i) for i in range(3)] == ["class 1 ('cat')", "class 3 ('dog')", "class 4"]


def test_shards_are_one_part(write, root):
    whole = load_dataset("tiny", root)
    (root / "tiny" / "train.parquet").unlink()
    for i, labels in enumerate(([30, 10], [20], [30, 10, 20] * 5)):
        write(root / "tiny" / f"train-{i:05}-of-00003.parquet", labels, seed=i, colour=i == 1)
    data = load_dataset("tiny", root)
    assert torch.equal(data.train_labels, whole.train_labels)
    assert data.train_images.shape == (18, 3, 4, 4) and data.test_images.shape == (2, 3, 4, 4)
    assert [bool((i[0] == i[1]).all()) for i in data.train_images] == [n != 2 for n in range(18)]
    assert torch.equal(data.test_images[:, :1], whole.test_images)
    assert torch.equal(data.train_images[3:5, :1], noise(write, root, [30, 10], seed=2))


def noise(write, root, labels, **options):
    write(root / "other" / "train.parquet", labels * 2, **options)
    write(root / "other" / "test.parquet", labels)
    return load_dataset("other", root).train_images[: len(labels)]


@pytest.mark.parametrize("folder", [".", "data", "default"])
def test_the_layouts_of_the_hub(write, root, folder):
    for part, labels in (("train", [0, 1] * 6), ("validation", [1, 0]), ("test", [1])):
        write(root / "hubs" / folder / f"{part}-00000-of-00001.parquet", labels, column="labels")
    data = load_dataset("hubs", root)
    assert (len(data.train_labels), data.validation_labels.tolist(), data.test_labels.tolist()) == (12, [1, 0], [1])


def test_a_validation_part_of_its_own(write, root):
    without = load_dataset("tiny", root)
    assert without.validation_images is None and without.validation_labels is None
    write(root / "tiny" / "validation.parquet", [20, 10, 20, 30], seed=2)
    data = load_dataset("tiny", root)
    assert data.validation_labels.tolist() == [1, 0, 1, 2] and data.validation_size == 4
    assert torch.equal(data.validation_images[:2], noise(write, root, [20, 10], seed=2))
    assert torch.equal(data.train_images, without.train_images) and torch.equal(data.test_images, without.test_images)
    assert len({data.sha256, without.sha256}) == 2
    write(root / "tiny" / "validation.parquet", [20, 10, 20, 10], seed=2)
    assert load_dataset("tiny", root).sha256 not in (data.sha256, without.sha256)  # the cache notices
    (root / "tiny" / "validation.parquet").unlink()
    assert load_dataset("tiny", root).sha256 == without.sha256


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_label_that_train_lacks(write, root, part):
    write(root / "tiny" / f"{part}.parquet", [20, 99])
    assert refused("tiny", root) == (
        f"{root}/tiny/{part}.parquet: column 'label' must have only labels that occur in train.parquet, got 99 in row 1 (from 0)"
    )


def test_a_label_that_every_shard_of_train_lacks(write, root):
    (root / "tiny" / "train.parquet").unlink()
    write(root / "tiny" / "train-00000-of-00002.parquet", [10] * 6)
    write(root / "tiny" / "train-00001-of-00002.parquet", [20] * 6)
    assert load_dataset("tiny", root).train_labels.tolist() == [0] * 6 + [1] * 6
    write(root / "tiny" / "test.parquet", [20, 30])
    assert "must have only labels that occur in the train part, got 30 in row 1 (from 0)" in refused("tiny", root)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_labels_from_columns_of_two_names(write, root, part):
    write(root / "tiny" / f"{part}.parquet", [20, 10], column="fine")
    assert refused("tiny", root) == (
        f"{root}/tiny/{part}.parquet: the labels must be in a column 'label', as in train.parquet, got 'fine'"
    )


def test_one_number_for_two_classes(write, root):
    write(root / "tiny" / "train.parquet", [0, 1] * 6, classes=["cat", "dog"])
    write(root / "tiny" / "test.parquet", [0, 1], classes=["cat", "dog", "cow"])
    assert load_dataset("tiny", root).class_names == ("cat", "dog")
    write(root / "tiny" / "test.parquet", [0, 1], classes=["dog", "cat"])
    assert refused("tiny", root) == (
        f"{root}/tiny/test.parquet: column 'label' must name its classes as in train.parquet, "
        "where 0 is 'cat', got 'dog'"
    )


@pytest.mark.parametrize("part", ["validation", "test"])
def test_sizes_that_differ_between_the_parts(write, root, part):
    write(root / "tiny" / f"{part}.parquet", [20, 10], size=(5, 4))
    assert refused("tiny", root) == (
        f"{root}/tiny/{part}.parquet: images must have the same size as in train.parquet, 4x4, got 5x4"
    )


def test_a_single_class(write, root):
    write(root / "tiny" / "train.parquet", [10, 10])
    assert refused("tiny", root) == (
        f"{root}/tiny/train.parquet: column 'label' must have at least 2 classes, got only 10"
    )


def test_no_root():
    message = refused("theirs", None)
    assert "'theirs'" in message and "--data" in message and "DECAYBENCH_DATA" in message


@pytest.mark.parametrize("made", ["absent", "a file"])
def test_a_root_that_is_no_folder(tmp_path, made):
    if made == "a file":
        (tmp_path / "nowhere").write_text("")
    message = refused("mnist", tmp_path / "nowhere")
    assert message == f"--data (or DECAYBENCH_DATA) must be an existing folder, got '{tmp_path}/nowhere'"


def test_a_folder_that_is_missing_lists_those_there(root):
    (root / "other").mkdir()
    (root / "a file").write_text("")
    message = refused("theirs", root)
    assert message == f"task.data must be digits or a folder in {root} (there are other, tiny), got 'theirs'"


def test_many_folders_are_cut_short(root):
    for i in range(24):
        (root / f"set{i:02}").mkdir()
    assert "and 5 more" in refused("theirs", root)


def test_an_empty_root(tmp_path):
    assert "there are none" in refused("theirs", tmp_path)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_file_that_is_missing(root, part):
    (root / "tiny" / f"{part}.parquet").unlink()
    assert refused("tiny", root).startswith(f"{root}/tiny/{part}.parquet: must exist")


def test_a_link_to_nothing(root):
    (root / "tiny" / "test.parquet").unlink()
    (root / "tiny" / "test.parquet").symlink_to(root / "elsewhere.parquet")
    says = "must be a readable file, got: No such file or directory"
    assert refused("tiny", root) == f"{root}/tiny/test.parquet: {says}"


def test_a_folder_in_place_of_a_file(root):
    (root / "tiny" / "test.parquet").unlink()
    (root / "tiny" / "test.parquet").mkdir()
    assert refused("tiny", root).startswith(f"{root}/tiny/test.parquet: must be a readable file, got: ")


@pytest.mark.parametrize("name", ["", "..", "../tiny", "/etc", "a/b", "tiny\n", "x" * 65, "a b", "."])
def test_names_that_might_leave_the_root(root, name):
    assert refused(name, root).startswith("task.data must match [A-Za-z0-9_-]{1,64}, got ")


class Provided:
    """An installed entry point, as importlib.metadata would hand it out."""

    value = "package:function"

    def __init__(self, made):
        self.made = made

    def load(self):
        return lambda: self.made


def provide(monkeypatch, made):
    def entry_points(*, group, name):
        return [Provided(made)] if (group, name) == ("decaybench.datasets", "theirs") else []

    monkeypatch.setattr(sources, "entry_points", entry_points)


def test_a_dataset_of_another_package(monkeypatch):
    made = load_dataset("digits", None)
    provide(monkeypatch, made)
    assert load_dataset("theirs", None) is made


def test_another_package_must_return_a_dataset(monkeypatch):
    provide(monkeypatch, 7)
    assert refused("theirs", None).endswith("theirs = package:function must return a Dataset, got int")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("their_data:broken", "must return a Dataset, got ZeroDivisionError: integer division or modulo by zero"),
        ("their_data:leaves", "must return a Dataset, got SystemExit: 2"),
        (
            "their_data:wants",
            "must return a Dataset, got TypeError: wants() missing 1 required positional argument: 'root'",
        ),
        ("their_data:absent", "cannot be imported: AttributeError: module 'their_data' has no attribute 'absent'"),
        ("nowhere:data", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_another_packages_function_that_does_not_work(monkeypatch, tmp_path, value, says):
    monkeypatch.syspath_prepend(tmp_path)
    code = "import sys\ndef broken(): 1 // 0\ndef leaves(): sys.exit(2)\ndef wants(root): pass\n"
    (tmp_path / "their_data.py").write_text(code)
    monkeypatch.setattr(sources, "entry_points", lambda *, group, name: [EntryPoint(name, value, group)])
    assert refused("theirs", None) == f"decaybench.datasets: entry point theirs = {value} {says}"


SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.mark.skipif("DECAYBENCH_DATA" not in os.environ, reason="DECAYBENCH_DATA is unset: no real images")
@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("mnist", 600, 100),
        ("cifar10", 600, 100),
        pytest.param("mnist", 60_000, 10_000, marks=pytest.mark.soak),
        pytest.param("cifar10", 50_000, 10_000, marks=pytest.mark.soak),
    ],
)
def test_real_images(name, train, test, tmp_path):
    real, root, shape = Path(os.environ["DECAYBENCH_DATA"]), tmp_path, SHAPES[name]
    (root / name).mkdir()
    for part, first in (("train", train), ("test", test)):
        table = pq.read_table(real / name / f"{part}.parquet")
        pq.write_table(table.slice(0, first), root / name / f"{part}.parquet")
    decoded = load_dataset(name, root)
    assert decoded.train_images.shape == (train, *shape) and decoded.test_images.shape == (test, *shape)
    assert decoded.classes == 10 and decoded.validation_size == round(train / 6)
    assert decoded.sha256 == load_dataset(name, root).sha256
