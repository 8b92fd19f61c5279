"""What every source of images is turned into."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


def sha256_of(*tensors: Tensor) -> str:
    """SHA-256 (hex) over the dtypes, shapes and elements of CPU tensors, in the order given."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A source's train part and test part, on the CPU, as they are before any split is drawn.

    ``train_images`` and ``test_images`` are uint8 (N, C, H, W); ``train_labels`` and ``test_labels`` are
    int64 (N,) in 0 .. ``classes`` - 1, and every class occurs in the train part. ``sha256`` covers pixels and
    labels of both parts, so it tells whether two machines decoded the same numbers. ``validation_size`` is
    the default size of the validation split. Raises ValueError where a source breaks these rules.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int
    sha256: str
    validation_size: int

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
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
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            shapes = f"{tuple(self.train_images.shape[1:])} and {tuple(self.test_images.shape[1:])}"
            raise ValueError(f"Dataset.train_images and test_images must have one image shape, got {shapes}")
        absent = (torch.bincount(self.train_labels, minlength=self.classes) == 0).nonzero()
        if len(absent):
            raise ValueError(f"Dataset.train_labels must have every class, got none of {int(absent[0])}")
