"""Find the columns of a parquet file that hold images and labels, and the class names in the hub's metadata."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from decaybench.data.folder import listed
from decaybench.errors import UserError

LABELS = re.compile(r".*labels?", re.IGNORECASE | re.DOTALL)
NUMBERS_ROWS = re.compile(r"id|idx|index|__index_level_\d+__|unnamed: \d+", re.IGNORECASE)
COLUMNS_LISTED, LONGEST_TYPE = 10, 80
AS_IMAGES = (
    "to convert, write pa.array([{'bytes': image, 'path': None} for image in images], "
    "pa.struct({'bytes': pa.binary(), 'path': pa.string()})), each image being the bytes of a PNG or JPEG file"
)
AS_INTEGERS = (
    "to convert, give each class one whole number, the same in every file, "
    "for example with df['label'].map({'cat': 0, 'dog': 1}) in pandas"
)


class Columns(NamedTuple):
    """The names of both columns; ``classes`` are the names of labels 0, 1, ... if the hub's metadata has them."""

    image: str
    label: str
    classes: tuple[str, ...]


def choose_columns(path: Path, schema: Any) -> Columns:
    """Choose the columns of a pyarrow ``schema`` by the rules of `read_part`; UserError if these do not settle it."""
    from pyarrow import types

    names = list(schema.names)
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: column names must be unique, got {name!r} {names.count(name)} times")
    images = [field for field in schema if _is_image(field.type)]
    if len(images) != 1:
        raise UserError(
            f"{path}: must have exactly one column of {{bytes, path}} structs, got {_named(images)} "
            f"(its columns: {_shown(schema)}); {AS_IMAGES if not images else 'leave the others out'}"
        )
    label = _label(path, schema, images[0].name)
    if not types.is_integer(label.type):
        kind = _short(label.type)
        raise UserError(f"{path}: column {label.name!r} must hold integers, got {kind}; {AS_INTEGERS}")
    return Columns(images[0].name, label.name, _class_names(schema, label.name))


def _is_image(kind: Any) -> bool:
    from pyarrow import types

    if not types.is_struct(kind) or {kind.field(i).name for i in range(kind.num_fields)} != {"bytes", "path"}:
        return False
    stored = kind.field("bytes").type
    return bool(types.is_binary(stored) or types.is_large_binary(stored) or types.is_binary_view(stored))


def _label(path: Path, schema: Any, image: str) -> Any:
    """Return the field of the labels; its type is not checked yet."""
    from pyarrow import types

    columns = [field for field in schema if field.name != image]
    integers = [field for field in columns if types.is_integer(field.type)]
    index = _index(schema)
    called = [field for field in columns if LABELS.fullmatch(field.name)]
    rest = [field for field in integers if field.name not in index and not NUMBERS_ROWS.fullmatch(field.name)]
    for found in (
        [field for field in called if field.name == "label"],
        called,
        [field for field in called if field in integers],
        [field for field in integers if _class_names(schema, field.name)],
        [] if called else rest,
    ):
        if len(found) == 1:
            return found[0]
    indexes = [field for field in integers if field.name in index and not NUMBERS_ROWS.fullmatch(field.name)]
    mend = ""
    if indexes and not called and not rest:
        mend = f"{_named(indexes)} is the DataFrame's index: if it holds the labels, write df.reset_index(), and "
    raise UserError(
        f"{path}: must have a column 'label', or else exactly one column of integers that may be the labels, "
        f"got {_named(called or rest)} (its columns: {_shown(schema)}); "
        f"{mend}rename the column of the labels to 'label'"
    )


def _index(schema: Any) -> set[str]:
    """The columns to which pandas wrote an index. Its metadata names these by a string; a RangeIndex is a mapping."""
    columns = _metadata(schema, "pandas", "index_columns")
    return {name for name in columns if isinstance(name, str)} if isinstance(columns, list) else set()


def _class_names(schema: Any, column: str) -> tuple[str, ...]:
    """The class names of a column that is a ClassLabel in the hub's metadata; empty for any other column."""
    names = _metadata(schema, "huggingface", "info", "features", column, "names")
    strings = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if strings else ()


def _metadata(schema: Any, key: str, *path: str) -> Any:
    """The value at ``path`` in the JSON under ``key``; None if any of it is missing: anyone may have written it."""
    try:
        found = json.loads((schema.metadata or {}).get(key.encode(), b"null"))
    except (ValueError, RecursionError):
        return None
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _named(fields: Iterable[Any]) -> str:
    return listed((repr(field.name) for field in fields), COLUMNS_LISTED)


def _shown(fields: Iterable[Any]) -> str:
    """The fields with their types, cut short."""
    return listed((f"{field.name!r}: {_short(field.type)}" for field in fields), COLUMNS_LISTED)


def _short(kind: Any) -> str:
    text = str(kind)
    return text if len(text) <= LONGEST_TYPE else f"{text[:LONGEST_TYPE]}..."
