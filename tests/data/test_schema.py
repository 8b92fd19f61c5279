"""Which columns are read, by name, type and metadata; where they leave a choice, a line with every column's type."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from decaybench.data.schema import choose_columns
from decaybench.errors import UserError

PATH = Path("folder/train.parquet")
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CONVERTS_IMAGES = "; to convert, write pa.array([{'bytes': image, 'path': None} for image in images], pa.struct({"
CONVERTS_LABELS = (
    "; to convert, give each class one whole number, the same in every file, for example with df['label'].map({"
)


def schema(metadata=None, **columns):
    kinds = {name: getattr(pa, kind)() if isinstance(kind, str) else kind for name, kind in columns.items()}
    return pa.schema(kinds, {key: json.dumps(value) for key, value in (metadata or {}).items()})


def hub(**features):
    return {"huggingface": {"info": {"features": features}}}


def class_label(*names):
    return {"_type": "ClassLabel", "names": list(names)}


def chosen(metadata=None, image=IMAGE, **columns):
    return choose_columns(PATH, schema(metadata, image=image, **columns))


def refused(metadata=None, image=IMAGE, **columns):
    with pytest.raises(UserError) as caught:
        chosen(metadata, image, **columns)
    assert "\n" not in str(caught.value) and str(caught.value).startswith("folder/train.parquet: ")
    return str(caught.value).removeprefix("folder/train.parquet: ")


@pytest.mark.parametrize(
    ("label", "columns"),
    [
        ("label", {"label": "int64"}),
        ("fine", {"fine": "uint8", "weight": "float64", "text": "string"}),
        ("label", {"fine": "int64", "label": "int32", "labels": "int64"}),
        ("labels", {"labels": "int64", "__index_level_0__": "int64"}),
        ("labels", {"id": "int64", "labels": "int64"}),
        ("fine_label", {"idx": "int64", "fine_label": "int64", "width": "int64", "height": "int64"}),
        ("Label", {"Label": "int64", "width": "int64"}),
        ("coarse_label", {"coarse_label": "int16", "text_label": "string", "width": "int64"}),
        ("digit", {"digit": "int64", "__index_level_0__": "int64", "__index_level_1__": "int64"}),
        ("digit", {"digit": "int64", "id": "int64", "idx": "int32", "index": "int64", "Unnamed: 0": "int64"}),
        ("label", {"label": "int64", "__index_level_0__": "int64", "id": "int64"}),
        ("label_id", {"label_id": "int64", "id": "int64"}),
    ],
)
def test_the_label_column(label, columns):
    assert chosen(**columns)[:2] == ("image", label)


@pytest.mark.parametrize(
    ("metadata", "label"),
    [
        ({"pandas": {"index_columns": ["file"]}}, "digit"),
        ({"pandas": {"index_columns": [{"kind": "range"}, "file"]}}, "digit"),
        (hub(file=class_label("a", "b")), "file"),
        (hub(file={"_type": "Value", "dtype": "int64"}, digit=class_label("0", "1")), "digit"),
    ],
)
def test_what_metadata_says_of_two_integer_columns(metadata, label):
    assert chosen(metadata, digit="int64", file="int64").label == label


def test_a_column_called_label_may_be_an_index():
    assert chosen({"pandas": {"index_columns": ["label"]}}, label="int64", width="int64").label == "label"


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        ({"coarse": "int64", "fine": "int64"}, "'coarse', 'fine'"),
        ({"coarse_label": "int64", "fine_label": "int64", "id": "int64"}, "'coarse_label', 'fine_label'"),
        ({"a_label": "string", "b_label": "string", "width": "int64"}, "'a_label', 'b_label'"),
        ({"text": "string"}, "none"),
        ({"__index_level_0__": "int64"}, "none"),
        ({"id": "int64", "name": "string"}, "none"),
    ],
)
def test_labels_that_leave_a_choice(columns, got):
    types = ", ".join(f"'{name}': {kind}" for name, kind in columns.items())
    assert refused(**columns) == (
        "must have a column 'label', or else exactly one column of integers that may be the labels, "
        f"got {got} (its columns: 'image': struct<bytes: binary, path: string>, {types}); "
        "rename the column of the labels to 'label'"
    )


@pytest.mark.parametrize("columns", [{"y": "int64"}, {"y": "int64", "id": "int64"}, {"y": "int32", "name": "string"}])
def test_labels_in_the_index_are_found_by_who_looks(columns):
    message = refused({"pandas": {"index_columns": ["y"]}}, **columns)
    assert "got none (its columns: " in message and message.endswith(
        "; 'y' is the DataFrame's index: if it holds the labels, write df.reset_index(), "
        "and rename the column of the labels to 'label'"
    )


def test_an_index_that_numbers_rows_is_not_said_to_hold_labels():
    assert "DataFrame" not in refused({"pandas": {"index_columns": ["__index_level_0__"]}}, __index_level_0__="int64")
    assert "DataFrame" not in refused({"pandas": {"index_columns": ["y"]}}, y="int64", a="int64", b="int64")


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        ("label", "string", "string"),
        ("label", "float64", "double"),
        ("label", "bool_", "bool"),
        ("label", "null", "null"),
        ("label", pa.decimal128(5), "decimal128(5, 0)"),
        ("label", pa.dictionary(pa.int8(), pa.string()), "dictionary<values=string, indices=int8, ordered=0>"),
        ("labels", pa.list_(pa.int64()), "list<element: int64>"),
        ("labels", pa.list_(pa.int64(), 1), "fixed_size_list<element: int64>[1]"),
        ("label", pa.struct({"id": pa.int64()}), "struct<id: int64>"),
    ],
)
def test_labels_that_are_not_integers(column, kind, said):
    message = refused(**{column: kind, "id": "int64"}).replace("item: ", "element: ")
    assert message.startswith(f"column '{column}' must hold integers, got {said}{CONVERTS_LABELS}")


STRUCT = pa.struct([("bytes", pa.binary())])


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("binary", "binary"),
        ("large_binary", "large_binary"),
        ("binary_view", "binary_view"),
        ("string", "string"),
        (STRUCT, "struct<bytes: binary>"),
        (pa.struct([*IMAGE, ("width", pa.int64())]), "struct<bytes: binary, path: string, width: int64>"),
        (pa.struct([("bytes", pa.string()), ("path", pa.string())]), "struct<bytes: string, path: string>"),
        (pa.list_(pa.field("element", IMAGE)), "list<element: struct<bytes: binary, path: string>>"),
        (pa.list_(pa.field("element", pa.uint8())), "list<element: uint8>"),
    ],
)
def test_images_of_another_type(kind, said):
    assert refused(image=kind, label="int64").startswith(
        "must have exactly one column of {bytes, path} structs, got none "
        f"(its columns: 'image': {said}, 'label': int64){CONVERTS_IMAGES}"
    )


@pytest.mark.parametrize("stored", [pa.binary(), pa.large_binary(), pa.binary_view()])
@pytest.mark.parametrize("path", [pa.string(), pa.null()])
def test_images_of_the_hubs_type(stored, path):
    assert chosen(image=pa.struct([("path", path), ("bytes", stored)]), label="int64").image == "image"


def test_several_image_columns():
    assert "got 'image', 'mask' (its columns: " in refused(mask=IMAGE, label="int64")


def test_many_columns_and_long_types_are_cut_short():
    wide = pa.struct({f"field{i}": pa.int64() for i in range(100)})
    message = refused(image=wide, label="int64", **{f"c{i}": "string" for i in range(12)})
    assert "and 4 more)" in message and "..., 'label': int64" in message and len(message) < 700


def test_column_names_are_unique():
    with pytest.raises(UserError, match="column names must be unique, got 'label' 2 times"):
        choose_columns(PATH, pa.schema([("image", IMAGE), ("label", pa.int64()), ("label", pa.int64())]))


def test_the_hubs_names_of_the_classes():
    metadata = hub(label=class_label("cat", "dog"), other=class_label("x"))
    assert chosen(metadata, label="int64", other="int64").classes == ("cat", "dog")
    assert chosen(metadata, label="int64").classes == ("cat", "dog")
    assert chosen(None, label="int64").classes == ()


@pytest.mark.parametrize(
    "written", [b"", b"no JSON", b"\xff", b"[" * 100_000, b"3", b"[]", b'{"info": []}', b'{"info": {"features": {"label": {"names": [1]}}}}']
)  # fmt: skip
def test_metadata_that_nobody_can_read_are_none(written):
    columns = pa.schema({"image": IMAGE, "label": pa.int64()}, {"huggingface": written, "pandas": written})
    assert choose_columns(PATH, columns) == ("image", "label", ())
