"""Where datasets come from: scikit-learn's digits, folders of parquet files, the hub, and other packages."""

import os
import re
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from decaybench import plugins, seeds
from decaybench.data import cache, hub
from decaybench.data.dataset import Dataset, sha256_of
from decaybench.data.parquet import Part, read_part
from decaybench.errors import UserError, reason

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DIGITS_TEST = 300
DIGITS_VALIDATION = 300
FOLDERS_LISTED = 20


def load_dataset(name: str, root: Path | None) -> Dataset:
    """The dataset ``name``: built in, from another package, the folder ``root``/``name``, or the hub; in this order.

    ``digits`` is scikit-learn's 1797 images of 8x8 pixels, 0 .. 16 scaled to 0 .. 255, with a fixed
    stratified test part of 300. An entry point of the group ``decaybench.datasets`` is a function without
    arguments that returns a Dataset. A folder holds ``train.parquet`` and ``test.parquet`` in the hub's image
    schema; its labels are numbered in the order of train's sorted values, and its default validation split is
    a sixth of train. Where there is no such folder, ``mnist``, ``fashion-mnist`` and ``cifar10`` are fetched
    from the Hugging Face hub at a pinned revision, once, and read by the same code. Raises UserError.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"task.data must match {NAME.pattern}, got {name!r}")
    if name == "digits":
        return _digits()
    for entry_point in entry_points(group="decaybench.datasets", name=name):
        provided = _provided(entry_point)
        if not isinstance(provided, Dataset):
            raise UserError(
                f"decaybench.datasets: entry point {name} = {entry_point.value} must return a Dataset, "
                f"got {type(provided).__name__}"
            )
        return provided
    if root is not None and not os.path.isdir(root):  # unlike Path.is_dir, it raises nothing for one out of reach
        raise UserError(f"--data (or DECAYBENCH_DATA) must be an existing folder, got {str(root)!r}")
    if root is not None and os.path.isdir(root / name):
        return _files(name, root / name / "train.parquet", root / name / "test.parquet")
    if name in hub.SOURCES:
        return _files(name, *hub.fetch(name, root))
    if root is None:
        raise UserError(
            f"task.data {name!r} is not built in (digits is), so it needs a data folder: "
            "pass --data DIR or set DECAYBENCH_DATA"
        )
    raise UserError(f"task.data must be digits or a folder in {root} ({_folders(root)}), got {name!r}")


def _provided(entry_point: EntryPoint) -> object:
    """What another package's function gives."""
    function = plugins.load(entry_point)
    try:
        return function()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever the function does
        named = f"entry point {entry_point.name} = {entry_point.value}"
        raise UserError(f"decaybench.datasets: {named} must return a Dataset, got {reason(error)}") from error


def _digits() -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    source = load_digits()
    images = np.rint(source.images * 255 / 16).astype(np.uint8)[:, None]
    labels = source.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)),
        test_size=DIGITS_TEST,
        stratify=labels,
        random_state=seeds.derive(0, "digits", "test part") % 2**32,  # constant: the same for every sweep
    )
    train.sort()
    test.sort()
    parts = cache.Parts(images[train], labels[train], images[test], labels[test])
    return _dataset("digits", parts, DIGITS_VALIDATION)


def _files(name: str, train_path: Path, test_path: Path) -> Dataset:
    train_bytes, test_bytes = _bytes(train_path), _bytes(test_path)
    key = cache.key_of(train_bytes, test_bytes)
    parts = cache.read(key)
    if parts is None:
        train, test = read_part(train_path, train_bytes), read_part(test_path, test_bytes)
        parts = _joined(train_path, train, test_path, test)
        cache.write(key, parts)
    return _dataset(name, parts, round(len(parts.train_labels) / 6))


def _folders(root: Path) -> str:
    try:
        names = sorted(path.name for path in root.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    except OSError as error:
        raise UserError(f"{root}: the data folder must be readable, got: {error.strerror}") from error
    more = f" and {len(names) - FOLDERS_LISTED} more" if len(names) > FOLDERS_LISTED else ""
    return f"there are {', '.join(names[:FOLDERS_LISTED])}{more}" if names else "there are none"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: must exist, beside its other part; got no such file") from error
    except OSError as error:
        raise UserError(f"{path}: must be a readable file, got: {error.strerror}") from error


def _joined(train_path: Path, train: Part, test_path: Path, test: Part) -> cache.Parts:
    """Two decoded files as one dataset: one size, one number of channels, one numbering of classes."""
    height, width = train.images.shape[2:]
    if test.images.shape[2:] != (height, width):
        got = f"{test.images.shape[3]}x{test.images.shape[2]}"
        raise UserError(f"{test_path}: images must have the size of {train_path.name}'s, {width}x{height}, got {got}")
    values = np.unique(train.labels)
    if len(values) < 2:
        raise UserError(
            f"{train_path}: column {train.label_column!r} must have at least 2 classes, got only {values[0]}"
        )
    unknown = ~np.isin(test.labels, values)
    if unknown.any():
        row = int(unknown.argmax())
        raise UserError(
            f"{test_path}: column {test.label_column!r} must have labels that {train_path.name} has, "
            f"got {test.labels[row]} in row {row} (from 0)"
        )
    channels = max(train.images.shape[1], test.images.shape[1])
    return cache.Parts(
        _with_channels(train.images, channels),
        np.searchsorted(values, train.labels).astype(np.int64),
        _with_channels(test.images, channels),
        np.searchsorted(values, test.labels).astype(np.int64),
    )


def _with_channels(images: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    return images if images.shape[1] == channels else np.repeat(images, channels, axis=1)


def _dataset(name: str, parts: cache.Parts, validation_size: int) -> Dataset:
    train_images, train_labels, test_images, test_labels = (torch.from_numpy(array) for array in parts)
    return Dataset(
        name,
        train_images,
        train_labels,
        test_images,
        test_labels,
        classes=int(train_labels.max()) + 1,
        sha256=sha256_of(train_images, train_labels, test_images, test_labels),
        validation_size=validation_size,
    )
