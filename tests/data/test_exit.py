"""How a process ends that has refused a file: with 2 and one line, and not with SIGABRT from a thread of Arrow's."""

import io
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
ROWS = 60


def png(image=None):
    buffer = io.BytesIO()
    (image or Image.new("L", (8, 8))).save(buffer, "PNG")
    return buffer.getvalue()


def with_last(content):
    return [png()] * (ROWS - 1) + [content]


# what is wrong: (the images, the labels, what the line says)
LABELS = pa.array([i % 2 for i in range(ROWS)])
REFUSALS = {
    "null labels": (with_last(png()), pa.array([None] * ROWS, pa.int64()), "got null in row 0"),
    "null among labels": (with_last(png()), pa.array([1] * (ROWS - 1) + [None]), "got null in row 59"),
    "labels beyond 64 bits": (with_last(png()), pa.array([2**64 - 1] * ROWS, pa.uint64()), "64-bit signed integers"),
    "labels in words": (with_last(png()), pa.array(["cat"] * ROWS), "must hold integers"),
    "null bytes": (with_last(None), LABELS, "got null bytes"),
    "16 bits": (with_last(png(Image.new("I;16", (8, 8), 300))), LABELS, "8 bits per channel"),
    "not an image": (with_last(b"not an image"), LABELS, "that Pillow can decode"),
    "another size": (with_last(png(Image.new("L", (9, 8)))), LABELS, "row 0's size"),
    "one class": (with_last(png()), pa.array([1] * ROWS), "at least 2 classes"),
    "damaged": (with_last(png()), LABELS, "readable parquet file"),
}

# Reads a folder as the command does, and ends through `cli.main`, but without what training takes to import. pandas
# is imported because the commands import it: without it the interpreter ends too fast to show the fault.
READ = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import pandas
from pathlib import Path
from decaybench.cli import main
from decaybench.cli.main import app
from decaybench.data import load_dataset

@app.command()
def read(name: str) -> None:
    load_dataset(name, Path("data"))

main(["read", sys.argv[1]])
"""

COUNT = """
import os
from pathlib import Path
import pyarrow.parquet
from decaybench.data import load_dataset
from decaybench.errors import UserError
before = os.listdir("/proc/self/task")
for name in os.listdir("data"):
    try:
        load_dataset(name, Path("data"))
    except UserError:
        pass
print(len(os.listdir("/proc/self/task")) - len(before))
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process can be pinned to a core here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data/NAME for each refusal, and data/right."""
    folder = tmp_path_factory.mktemp("refusals")
    for name, (images, labels, _) in {**REFUSALS, "right": (with_last(png()), LABELS, "")}.items():
        table = pa.table({"image": pa.array([{"bytes": i, "path": None} for i in images], IMAGE), "label": labels})
        place = folder / "data" / name.replace(" ", "-")
        place.mkdir(parents=True)
        for part in ("train", "test"):
            pq.write_table(table, place / f"{part}.parquet")
    damaged = folder / "data" / "damaged" / "train.parquet"
    content = bytearray(damaged.read_bytes())
    content[4:200] = b"\xff" * 196
    damaged.write_bytes(content)
    return folder


def child(folder, code, *arguments):
    env = os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, env=env, capture_output=True, text=True)


def test_no_thread_outlives_a_reading(folder):
    ended = child(folder, COUNT)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def check_end(folder, name):
    ended = child(folder, READ, name.replace(" ", "-"))
    said = REFUSALS[name][2]
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr and ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1


def test_a_refusal_ends_with_2(folder):
    check_end(folder, "null bytes")


@pytest.mark.soak
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_ends_with_2_every_time(folder, name):
    for _ in range(20):
        check_end(folder, name)


@pytest.mark.soak
def test_a_folder_that_is_right_ends_with_0_every_time(folder):
    for _ in range(20):
        ended = child(folder, READ, "right")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
