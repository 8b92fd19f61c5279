"""Elementwise activations."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Places


class ReLU(Layer):
    """The positive part; never in place, since only the stack holds the activations."""

    modules = (nn.ReLU,)

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        return cls()

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        return F.relu(x)
