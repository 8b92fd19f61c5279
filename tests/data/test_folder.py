"""Folders as people, pandas and the hub leave them: all files of a part are found, in order, or one line says why not."""

import pytest

from decaybench.data.folder import find_parts, listed
from decaybench.errors import UserError


def laid(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def found(folder):
    return {part: [str(path.relative_to(folder)) for path in paths] for part, paths in find_parts(folder).items()}


def refused(folder):
    with pytest.raises(UserError) as caught:
        find_parts(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ONE = "00000-of-00001"


@pytest.mark.parametrize(
    ("names", "train"),
    [
        (["train.parquet", "test.parquet"], ["train.parquet"]),
        ([f"train-{ONE}.parquet", "test.parquet"], [f"train-{ONE}.parquet"]),
        ([f"train-{ONE}-a09b74b3ef9c3b56.parquet", "test.parquet"], [f"train-{ONE}-a09b74b3ef9c3b56.parquet"]),
        ([f"data/train-{ONE}.parquet", "data/test.parquet", "README.md"], [f"data/train-{ONE}.parquet"]),
        ([f"plain_text/train-{ONE}.parquet", "plain_text/test.parquet"], [f"plain_text/train-{ONE}.parquet"]),
        (["train.parquet", "test.parquet", "old/train.parquet"], ["train.parquet"]),
        (["train.parquet", "test.parquet", "unsupervised.parquet", "old_train.parquet"], ["train.parquet"]),
        (["train.parquet", "test.parquet", "trainers.parquet", "values.parquet", "Device.parquet"], ["train.parquet"]),
        (["train.parquet", "test.parquet", "train.csv", "val.txt", "train_2/x.parquet"], ["train.parquet"]),
        (["train.parquet", "test.parquet", ".cache/train.parquet"], ["train.parquet"]),
        (["data/train.parquet", "data/test.parquet", ".cache/train.parquet"], ["data/train.parquet"]),
        (["data/train.parquet", "data/test.parquet", "old/train.parquet"], ["data/train.parquet"]),
        (["training.parquet", "testing.parquet"], ["training.parquet"]),
    ],
)
def test_where_a_part_may_stand(tmp_path, names, train):
    assert found(laid(tmp_path, *names))["train"] == train


def test_shards_are_in_order(tmp_path):
    shards = [f"train-{i:05}-of-00011.parquet" for i in range(11)]
    laid(tmp_path, "test.parquet", *reversed(shards))
    assert found(tmp_path) == {"train": shards, "test": ["test.parquet"]}


def test_old_shards_have_a_hash_each(tmp_path):
    shards = ["train-00000-of-00002-ffff.parquet", "train-00001-of-00002-0000.parquet"]
    assert found(laid(tmp_path, "test.parquet", *shards))["train"] == shards


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", f"validation-{ONE}"])
def test_a_validation_part_is_found(tmp_path, name):
    laid(tmp_path, "train.parquet", "test.parquet", f"{name}.parquet")
    assert found(tmp_path)["validation"] == [f"{name}.parquet"]


@pytest.mark.parametrize(
    ("names", "got"),
    [
        (
            ["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"],
            "train-00000-of-00003.parquet, train-00002-of-00003.parquet, without train-00001-of-00003.parquet",
        ),
        (["train-00001-of-00002.parquet"], "train-00001-of-00002.parquet, without train-00000-of-00002.parquet"),
        (
            ["train-00000-of-00900.parquet"],
            "train-00000-of-00900.parquet, without train-00001-of-00900.parquet, train-00002-of-00900.parquet, "
            "train-00003-of-00900.parquet and 896 more",
        ),
        (["train.parquet", f"train-{ONE}.parquet"], f"train.parquet, train-{ONE}.parquet"),
        (["train.parquet", "training.parquet"], "train.parquet, training.parquet"),
        (["train-00003-of-00002.parquet"], "train-00003-of-00002.parquet, without "),
        (
            [f"train-{ONE}.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
            f"train-{ONE}.parquet, train-00000-of-00002.parquet, train-00001-of-00002.parquet",
        ),
        ([f"train-{ONE}-aa.parquet", f"train-{ONE}-bb.parquet"], f"train-{ONE}-aa.parquet, train-{ONE}-bb.parquet"),
    ],
)
def test_a_part_that_is_not_one_set(tmp_path, names, got):
    laid(tmp_path, "test.parquet", *names)
    rule = "the train part must be one file or all shards of one set"
    assert refused(tmp_path).startswith(f"{tmp_path}: {rule}, got {got}")


@pytest.mark.parametrize("place", ["", "data/", "plain_text/"])
@pytest.mark.parametrize(
    "almost",
    [
        ["train2.parquet"],
        ["Validation.parquet", "val_1.parquet"],
        ["TRAIN.PARQUET"],
        ["train-part2.parquet"],
        ["train_small.parquet"],
        ["test (copy).parquet"],
        ["train-0.parquet", "train-1.parquet"],
        ["train-00000-of-00000.parquet"],
        ["dev.old.parquet"],
        ["eval-1\n.parquet"],
    ],
)
def test_a_file_that_may_be_meant_for_a_part_is_not_passed_over(tmp_path, place, almost):
    laid(tmp_path, *(f"{place}{name}" for name in ("train.parquet", "test.parquet", *almost)))
    message = refused(tmp_path)
    assert message.startswith(f"{tmp_path}/{place}".rstrip("/") + ": a parquet file whose name begins like a part's")
    assert f"got {', '.join(almost)}".replace("\n", " ") in message


@pytest.mark.parametrize("names", [["validation.parquet", "val.parquet"], ["dev.parquet", f"dev-{ONE}.parquet"]])
def test_two_validation_parts(tmp_path, names):
    assert "the validation part must be one file" in refused(laid(tmp_path, "train.parquet", "test.parquet", *names))


@pytest.mark.parametrize(
    "names",
    [
        ["train.parquet", "test.parquet", f"data/train-{ONE}.parquet"],
        ["validation.parquet", "data/train.parquet", "data/test.parquet"],
        ["coarse/train.parquet", "coarse/test.parquet", "fine/train.parquet", "fine/test.parquet"],
    ],
)
def test_files_in_two_places(tmp_path, names):
    message = refused(laid(tmp_path, *names))
    assert message.startswith(f"{tmp_path}: the parquet files of all parts must be in one folder, got {tmp_path}/")
    assert message.count(str(tmp_path)) == 3


@pytest.mark.parametrize(
    ("names", "missing", "there"),
    [
        ([], "train", "none"),
        (["train.parquet", "validation.parquet"], "test", "train.parquet, validation.parquet"),
        (["train-0.parquet", "train-1.parquet", "test.parquet"], "train", "test.parquet, train-0.parquet, train-1.parquet"),
        (["train/data-00000-of-00001.arrow", "test/state.json", "dataset_dict.json"], "train", "dataset_dict.json, test, train"),
        (["train/cat/1.png", "test/cat/1.png"], "train", "test, train"),
        (["train.csv", "Train.parquet"], "train", "Train.parquet, train.csv"),
    ],
)  # fmt: skip
def test_a_part_that_is_missing_says_what_lies_there(tmp_path, names, missing, there):
    message = refused(laid(tmp_path, *names))
    assert message.startswith(f"{tmp_path}/{missing}.parquet: must exist, or the hub's shards ({missing}-00000-of-")
    assert message.endswith(f"got neither (the folder contains: {there})")


def test_the_part_that_is_missing_below_is_named_there(tmp_path):
    assert refused(laid(tmp_path, "data/train.parquet")).startswith(f"{tmp_path}/data/test.parquet: must exist")


def test_lists_are_cut_short():
    assert listed("abc", 3) == "a, b, c" and listed("abcde", 3) == "a, b, c and 2 more" and listed([]) == "none"
