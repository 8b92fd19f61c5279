"""Whatever is wrong with a folder of images: exit code 2, one line that names what, no traceback, nothing written."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from small_sweep import SMALL


def sweep(line: str = "") -> str:
    """small.toml's sweep on all images of d/mine."""
    sizes = "train_size = 160\nvalidation_size = 100\ntest_size = 100\n"
    assert sizes in SMALL
    Path("s.toml").write_text(SMALL.replace('"digits"', '"mine"').replace(sizes, f"{line}\n"))
    return "s.toml"


PNG = io.BytesIO()
Image.new("L", (8, 8)).save(PNG, "PNG")
CELL = {"bytes": PNG.getvalue(), "path": None}
TWO = [i % 2 for i in range(40)]


def images(place: str, **columns: list) -> None:
    """d/mine/PLACE.parquet: 40 images, and the columns given."""
    path = Path("d/mine") / f"{place}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": [CELL] * 40, **columns}), path)


# (what is wrong, the columns of train.parquet, what the line must say)
COLUMNS = [
    ("labels in words", {"label": ["a", "b"] * 20}, "column 'label' must hold integers, got string; to convert, "),
    ("no integers", {"colour": ["a", "b"] * 20}, "'colour': string); rename the column of the labels to 'label'"),
    ("null labels", {"label": pa.array([None] * 40, pa.int64())}, "got null in row 0 (from 0)"),
    ("bytes alone", {"image": [PNG.getvalue()] * 40, "label": TWO}, "(its columns: 'image': binary, 'label': int64); to convert, "),
    ("two labels", {"fine_label": TWO, "coarse_label": TWO}, "got 'fine_label', 'coarse_label' (its columns: "),
    ("an index alone", {"__index_level_0__": list(range(40))}, "got none (its columns: "),
    ("a rare class", {"label": [10, 20, 30] * 13 + [40]}, "needs at least 2 of each class, got 1 of class 40"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "says"), [case[1:] for case in COLUMNS], ids=[case[0] for case in COLUMNS])
@pytest.mark.parametrize("command", ["run", "check"])
def test_parquet_with_wrong_columns(refused, command, columns, says):
    images("train", **columns)
    images("test", **columns)
    line = refused(command, sweep(), "--data", "d")
    assert line.startswith("error: s.toml: ") and says in line


# (what is wrong, the files of the folder, what the line must say)
PLACES = [
    ("a shard is missing", ["train-00000-of-00003", "train-00002-of-00003", "test"], "without train-00001-of-00003.parquet"),
    ("a file and a shard", ["train", "train-00000-of-00001", "test"], "got train.parquet, train-00000-of-00001.parquet"),
    ("two places", ["train", "test", "data/train"], "got d/mine/test.parquet, d/mine/data/train.parquet"),
    ("no test", ["train", "validation"], "d/mine/test.parquet: must exist"),
]  # fmt: skip


@pytest.mark.parametrize(("places", "says"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_folders_that_leave_a_choice(refused, places, says):
    for place in places:
        images(place, label=TWO)
    assert says in refused("check", sweep(), "--data", "d")


def test_a_validation_part_that_is_too_small(refused):
    for place in ("train", "validation", "test"):
        images(place, label=TWO)
    assert "task.validation_size must be in 2 .. 38, or all 40 (the validation part has 40" in refused(
        "check", sweep("validation_size = 41"), "--data", "d"
    )
