"""`Dataset`: the form into which every source of images is brought."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


def sha256_of(*tensors: Tensor) -> str:
    """SHA-256 (hex) of the dtypes, shapes and elements of CPU tensors, in the given order."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """The train and test parts of a source, on the CPU, before any split is drawn.

    ``train_images`` and ``test_images`` are uint8 (N, C, H, W). ``train_labels`` and ``test_labels`` are int64 (N,) in
    0 .. ``classes`` - 1, and every class occurs in the train part. ``sha256`` covers the pixels and labels of all
    parts: equal values mean that two machines decoded the same data. ``validation_size`` is the default size of the
    validation split. If the source has a validation part of its own, ``validation_images`` and ``validation_labels``
    hold it, and the validation split is drawn from it rather than from the train part.

    ``labels`` are the labels that the classes have in the source (default: 0, 1, ...), and ``class_names`` are their
    names, if known; an empty string stands for an unknown name. Error messages use both.

    Raises ValueError if the arguments break these rules.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int
    sha256: str
    validation_size: int
    validation_images: Tensor | None = None
    validation_labels: Tensor | None = None
    labels: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.validation_images is None) != (self.validation_labels is None):
            raise ValueError("Dataset.validation_images and validation_labels must be given together")
        for part, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("validation", self.validation_images, self.validation_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if images is not None and labels is not None:
                self._check_part(part, images, labels)
        for field in ("labels", "class_names"):
            if len(given := getattr(self, field)) not in (0, self.classes):
                raise ValueError(f"Dataset.{field} must have one entry per class, {self.classes}, got {len(given)}")
        absent = (torch.bincount(self.train_labels, minlength=self.classes) == 0).nonzero()
        if len(absent):
            raise ValueError(f"Dataset.train_labels must have every class, got none of {self.called(int(absent[0]))}")

    def _check_part(self, part: str, images: Tensor, labels: Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4:
            got = f"{images.dtype} {tuple(images.shape)}"
            raise ValueError(f"Dataset.{part}_images must be uint8 (N, C, H, W), got {got}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            got = f"{labels.dtype} {tuple(labels.shape)}"
            raise ValueError(f"Dataset.{part}_labels must be int64 ({len(images)},), got {got}")
        if len(labels) == 0:
            raise ValueError(f"Dataset.{part}_labels must not be empty")
        low, high = int(labels.min()), int(labels.max())
        if not 0 <= low <= high < self.classes:
            raise ValueError(f"Dataset.{part}_labels must be in 0 .. {self.classes - 1}, got {low} .. {high}")
        if images.shape[1:] != self.train_images.shape[1:]:
            shapes = f"{tuple(self.train_images.shape[1:])} and {tuple(images.shape[1:])}"
            raise ValueError(f"Dataset.train_images and {part}_images must have one image shape, got {shapes}")

    @property
    def pool_images(self) -> Tensor:
        """The train part followed by the validation part. All splits except ``test`` index into it."""
        own = self.validation_images
        return self.train_images if own is None else torch.cat([self.train_images, own])

    @property
    def pool_labels(self) -> Tensor:
        """The labels of `pool_images`."""
        own = self.validation_labels
        return self.train_labels if own is None else torch.cat([self.train_labels, own])

    def called(self, number: int) -> str:
        """Class ``number`` by its label and name in the source: ``class 40`` or ``class 3 ('cat')``."""
        label = self.labels[number] if self.labels else number
        name = self.class_names[number] if self.class_names else ""
        return f"class {label} ({name!r})" if name else f"class {label}"
