"""The CNNs, each written for one model; a stack of K reads the same layers."""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points

import torch
from torch import nn

from decaybench import seeds
from decaybench.errors import UserError

Shape = tuple[int, int, int]
Builder = Callable[[Shape, int], nn.Sequential]


def small_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """conv 16 3x3 same, ReLU, pool 2, conv 32 3x3 same, ReLU, pool 2, 64, ReLU, ``classes``."""
    channels, height, width = shape
    _require("small-cnn", shape, least=4)
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def lenet(shape: Shape, classes: int) -> nn.Sequential:
    """conv 20 5x5 valid, ReLU, pool 2, conv 40 5x5 valid, ReLU, pool 2, 100, ReLU, ``classes``.

    Source: network3.py of M. Nielsen, Neural Networks and Deep Learning (2015), its network with two layers
    of convolutions and ReLU.
    """
    channels, height, width = shape
    _require("lenet", shape, least=16)
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    return nn.Sequential(
        nn.Conv2d(channels, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(40 * rows * columns, 100),
        nn.ReLU(),
        nn.Linear(100, classes),
    )


class _Models(Mapping[str, Builder]):
    """The models built in, then the entry points of group ``decaybench.models``, looked for when asked."""

    _built_in: Mapping[str, Builder] = {"lenet": lenet, "small-cnn": small_cnn}

    def __getitem__(self, name: str) -> Builder:
        if name in self._built_in:
            return self._built_in[name]
        for entry_point in entry_points(group="decaybench.models", name=name):
            builder: Builder = entry_point.load()
            return builder
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._built_in, *entry_points(group="decaybench.models").names}))

    def __len__(self) -> int:
        return len(list(iter(self)))


MODELS: Mapping[str, Builder] = _Models()
"""Name -> function of an image shape (C, H, W) and the number of classes, drawing from torch's generator."""


def build(name: str, shape: Shape, classes: int, seed: int) -> nn.Sequential:
    """The model ``name`` for images (C, H, W), torch's default init drawn from ``seed`` alone.

    It is on the CPU; the global generators are left as they were. Raises UserError for a name that MODELS
    lacks, and for images smaller than the model's layers can take.
    """
    if name not in MODELS:
        raise UserError(f"task.model must be one of {', '.join(MODELS)}, got {name!r}")
    builder = MODELS[name]
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would seed every GPU's global generator too.
        torch.default_generator.manual_seed(seeds.derive(seed, "init"))
        return builder(shape, classes)


def _require(name: str, shape: Shape, least: int) -> None:
    _, height, width = shape
    if min(height, width) < least:
        raise UserError(f"task.model {name!r} needs images of at least {least}x{least} pixels, got {width}x{height}")
