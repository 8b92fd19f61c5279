"""Means over axes, such as global average pooling."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value


class Mean(Layer):
    """The mean over some axes of each image's activations. It is computed in rows, where these axes are last."""

    functions = (torch.mean, Tensor.mean)
    takes = gives = Layout.ROWS

    def __init__(self, axes: tuple[int, ...], keepdim: bool) -> None:
        self._axes, self._keepdim = axes, keepdim

    @classmethod
    def of(cls, call: Call, x: Any, dim: Any = None, keepdim: bool = False) -> Self | None:
        if not isinstance(x, Value) or dim is None:
            return None
        axes = [dim] if isinstance(dim, int) else list(dim)
        n = len(x.shape) + 1
        axes = [axis % n for axis in axes]
        return cls(tuple(axis + 1 for axis in axes), keepdim) if axes and 0 not in axes else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return x.mean(self._axes, self._keepdim)
