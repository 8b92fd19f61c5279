"""Load a dataset from scikit-learn (digits), a folder of parquet files, the Hugging Face hub or another package."""

import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import torch

from decaybench import plugins, seeds
from decaybench.data import cache, hub
from decaybench.data.dataset import Dataset, sha256_of
from decaybench.data.folder import find_parts, listed
from decaybench.data.join import join
from decaybench.data.parquet import read_part
from decaybench.errors import UserError, reason

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DIGITS_TEST = 300
DIGITS_VALIDATION = 300


def load_dataset(name: str, root: Path | None) -> Dataset:
    """Load the dataset ``name``. These places are tried in order, and the first that has it is used:

    1. Built in: ``digits`` is scikit-learn's 1797 images of 8x8 pixels, with values 0 .. 16 scaled to 0 .. 255 and a
       fixed, stratified test part of 300.
    2. Another package: an entry point of the group ``decaybench.datasets`` is a function without arguments that
       returns a Dataset.
    3. The folder ``root``/``name``. It holds the parts ``train`` and ``test`` in the hub's image schema (for file names
       see `find_parts`). Classes are numbered in the order of the sorted labels of ``train``. The default validation
       split is the whole part ``validation`` if there is one, and otherwise a sixth of ``train``.
    4. The Hugging Face hub: ``mnist``, ``fashion-mnist`` and ``cifar10`` are downloaded once, at a pinned revision.

    Raises UserError if the dataset is not found or cannot be read.
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
    if root is not None and not os.path.isdir(root):  # unlike Path.is_dir, never raises, even without permission
        raise UserError(f"--data (or DECAYBENCH_DATA) must be an existing folder, got {str(root)!r}")
    if root is not None and os.path.isdir(root / name):
        return _files(name, find_parts(root / name))
    if name in hub.SOURCES:
        train, test = hub.fetch(name, root)
        return _files(name, {"train": [train], "test": [test]})
    if root is None:
        raise UserError(
            f"task.data {name!r} is not built in (digits is), so it needs a data folder: "
            "pass --data DIR or set DECAYBENCH_DATA"
        )
    raise UserError(f"task.data must be digits or a folder in {root} ({_folders(root)}), got {name!r}")


def _provided(entry_point: EntryPoint) -> object:
    """Call another package's function and return its result."""
    function = plugins.load(entry_point)
    try:
        return function()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # the function is not ours and may raise anything
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
    none = (images[:0], labels[:0])
    named = (np.arange(10), np.array([], dtype=np.str_))
    parts = cache.Parts(images[train], labels[train], *none, images[test], labels[test], *named)
    return _dataset("digits", parts, DIGITS_VALIDATION)


def _files(name: str, paths: Mapping[str, Sequence[Path]]) -> Dataset:
    contents = {part: [_bytes(path) for path in files] for part, files in paths.items()}
    key = cache.key_of(contents)
    parts = cache.read(key)
    if parts is None:
        decoded = {part: list(map(read_part, paths[part], contents[part])) for part in paths}
        parts = join(decoded["train"], decoded.get("validation", []), decoded["test"])
        cache.write(key, parts)
    return _dataset(name, parts, len(parts.validation_labels) or round(len(parts.train_labels) / 6))


def _folders(root: Path) -> str:
    try:
        names = sorted(path.name for path in root.iterdir() if path.is_dir() and NAME.fullmatch(path.name))
    except OSError as error:
        raise UserError(f"{root}: the data folder must be readable, got: {error.strerror}") from error
    return f"there are {listed(names)}" if names else "there are none"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: must be a readable file, got: {error.strerror}") from error


def _dataset(name: str, parts: cache.Parts, validation_size: int) -> Dataset:
    train_images, train_labels, *validation, test_images, test_labels = map(torch.from_numpy, parts[:6])
    own = validation if len(parts.validation_labels) else ()
    return Dataset(
        name,
        train_images,
        train_labels,
        test_images,
        test_labels,
        len(parts.labels),
        sha256_of(train_images, train_labels, test_images, test_labels, *own),
        validation_size,
        validation_images=own[0] if own else None,
        validation_labels=own[1] if own else None,
        labels=tuple(parts.labels.tolist()),
        class_names=tuple(parts.class_names.tolist()),
    )
