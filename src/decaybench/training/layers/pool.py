"""Pooling."""

from typing import Self

from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Layout, Places


class MaxPool(Layer):
    """Max pooling. It treats each channel separately, so the channels of K runs need no change."""

    modules = (nn.MaxPool2d,)
    takes = gives = Layout.MAPS

    def __init__(self, module: nn.MaxPool2d) -> None:
        self._module = module

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        match module:
            case nn.MaxPool2d(return_indices=False):
                return cls(module)
        return None

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        pooled: Tensor = self._module(x)
        return pooled
