"""The examples that all runs of a sweep share, and the normalisation of their pixels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from decaybench.data.dataset import Dataset
from decaybench.data.splits import Splits


@dataclass(frozen=True, eq=False)
class Examples:
    """``images`` uint8 (N, C, H, W) and ``labels`` int64 (N,) on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Examples":
        return Examples(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class TaskData:
    """What training reads: the examples of each split, and the training split's mean and standard deviation.

    ``mean`` and ``std``, float64 (C,), are per channel, over pixels scaled to [0, 1]. ``std`` is the population's
    (divided by n), and 1 for a constant channel. ``signal`` is None unless that split was drawn.
    """

    train: Examples
    validation: Examples
    signal: Examples | None
    test: Examples
    mean: Tensor
    std: Tensor
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width

    def to(self, device: torch.device | str) -> "TaskData":
        """The same data, every tensor on ``device``."""
        return TaskData(
            train=self.train.to(device),
            validation=self.validation.to(device),
            signal=None if self.signal is None else self.signal.to(device),
            test=self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
            classes=self.classes,
        )


def prepare(dataset: Dataset, splits: Splits) -> TaskData:
    """Gather the examples of ``splits`` on the CPU and compute the training split's mean and deviation.

    Raises ValueError if an example occurs in more than one of the train, validation and signal splits, or twice in one.
    """
    if splits.repeated:
        raise ValueError(f"splits must be disjoint, got {splits.repeated} examples that occur more than once")

    images, labels = dataset.pool_images, dataset.pool_labels

    def drawn(index: Tensor) -> Examples:
        return Examples(images[index], labels[index])

    train = drawn(splits.train)
    mean, std = _statistics(train.images)
    return TaskData(
        train=train,
        validation=drawn(splits.validation),
        signal=drawn(splits.signal) if len(splits.signal) else None,
        test=Examples(dataset.test_images[splits.test], dataset.test_labels[splits.test]),
        mean=mean,
        std=std,
        classes=dataset.classes,
    )


def repeated_images(data: TaskData) -> int:
    """How many test images also occur, pixel for pixel, in the train, validation or signal split.

    The splits never share an example, but the source itself may contain the same image twice.
    """
    parts = [part.images for part in (data.train, data.validation, data.signal) if part is not None]
    known = {image.tobytes() for part in parts for image in part.numpy()}
    return sum(image.tobytes() in known for image in data.test.images.numpy())


def normalise(images: Tensor, mean: Tensor, std: Tensor, dtype: torch.dtype) -> Tensor:
    """(x / 255 - mean) / std in ``dtype`` (float32 or float64), for uint8 ``images`` (..., C, H, W).

    ``mean`` and ``std`` are (C,), on the images' device. These are three elementwise IEEE operations, each rounded by
    itself, so a result's bits depend on its pixel and channel alone: not on the batch, its size or the device.
    """
    pixels = images.to(dtype)
    # Divide by a tensor: CUDA turns division by a Python number into a product with its rounded reciprocal.
    scaled = pixels / pixels.new_full((), 255.0)
    return scaled.sub_(mean.to(dtype).view(-1, 1, 1)).div_(std.to(dtype).view(-1, 1, 1))


def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation per channel, from exact integer sums, so that the order of summation does not matter."""
    means, deviations = [], []
    for channel in images.unbind(1):
        counts: list[int] = torch.bincount(channel.reshape(-1), minlength=256).tolist()
        n = sum(counts)
        total = sum(value * count for value, count in enumerate(counts))
        squares = sum(value * value * count for value, count in enumerate(counts))
        means.append(total / (n * 255))
        deviations.append(math.sqrt((n * squares - total * total) / (n * 255) ** 2) or 1.0)
    return torch.tensor(means, dtype=torch.float64), torch.tensor(deviations, dtype=torch.float64)
