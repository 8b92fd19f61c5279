"""Tiny folders of parquet files, and a cache folder of the test's own."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decaybench"


def write_part(path, labels, *, size=(4, 4), colour=False, seed=0, column="label", classes=()):
    rng = np.random.default_rng(seed)
    shape = (*size[::-1], 3) if colour else size[::-1]
    stored = []
    for _ in labels:
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(buffer, "PNG")
        stored.append({"bytes": buffer.getvalue(), "path": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"image": pa.array(stored, IMAGE), column: pa.array(labels, pa.int64())})
    if classes:  # as the hub's library names them
        features = {"image": {"_type": "Image"}, column: {"_type": "ClassLabel", "names": list(classes)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)


@pytest.fixture
def write():
    """Writes random images with the given labels to a parquet file."""
    return write_part


@pytest.fixture
def root(tmp_path, write):
    root = tmp_path / "data"
    write(root / "tiny" / "train.parquet", [30, 10, 20] * 6)
    write(root / "tiny" / "test.parquet", [20, 10], seed=1)
    return root
