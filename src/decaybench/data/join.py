"""Join decoded files into one dataset, with one image size, one number of channels and one numbering of classes."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from decaybench.data.cache import Parts
from decaybench.data.parquet import Part
from decaybench.errors import UserError

Kind = TypeVar("Kind", bound=np.generic)


def join(train: Sequence[Part], validation: Sequence[Part], test: Sequence[Part]) -> Parts:
    """Join the files of each part; ``validation`` may be empty. The classes are the sorted labels of ``train``.

    Raises UserError if a file does not match the first file of ``train`` in image size, label column or class names,
    or if it has a label that ``train`` lacks.
    """
    files = [*train, *validation, *test]
    for file in files:
        _check_alike(train[0], file)
    labels = np.unique(_joined([file.labels for file in train]))
    if len(labels) < 2:
        raise UserError(
            f"{train[0].path}: column {train[0].label_column!r} must have at least 2 classes, got only {labels[0]}"
        )
    for file in files:
        _check_known(file, labels, train[0].path.name if len(train) == 1 else "the train part")
    names = max((file.classes for file in files), key=len)
    called = [names[label] if 0 <= label < len(names) else "" for label in labels.tolist()] if names else []
    channels = max(file.images.shape[1] for file in files)

    def decoded(part: Sequence[Part]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        images = _joined([_with_channels(file.images, channels) for file in part])
        return images, np.searchsorted(labels, _joined([file.labels for file in part])).astype(np.int64)

    nothing = train[0]._replace(images=train[0].images[:0], labels=labels[:0])
    return Parts(
        *decoded(train), *decoded(validation or [nothing]), *decoded(test), labels, np.array(called, dtype=np.str_)
    )


def _check_alike(first: Part, file: Part) -> None:
    height, width = first.images.shape[2:]
    if file.images.shape[2:] != (height, width):
        got = f"{file.images.shape[3]}x{file.images.shape[2]}"
        raise UserError(
            f"{file.path}: images must have the same size as in {first.path.name}, {width}x{height}, got {got}"
        )
    if file.label_column != first.label_column:
        raise UserError(
            f"{file.path}: the labels must be in a column {first.label_column!r}, as in {first.path.name}, "
            f"got {file.label_column!r}"
        )
    for label, (theirs, ours) in enumerate(zip(first.classes, file.classes, strict=False)):
        if theirs != ours:
            raise UserError(
                f"{file.path}: column {file.label_column!r} must name its classes as in {first.path.name}, "
                f"where {label} is {theirs!r}, got {ours!r}"
            )


def _check_known(file: Part, labels: npt.NDArray[np.int64], where: str) -> None:
    unknown = ~np.isin(file.labels, labels)
    if unknown.any():
        row = int(unknown.argmax())
        raise UserError(
            f"{file.path}: column {file.label_column!r} must have only labels that occur in {where}, "
            f"got {file.labels[row]} in row {row} (from 0)"
        )


def _joined(arrays: Sequence[npt.NDArray[Kind]]) -> npt.NDArray[Kind]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _with_channels(images: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    return images if images.shape[1] == channels else np.repeat(images, channels, axis=1)
