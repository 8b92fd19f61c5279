"""Concatenation."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value, apart, natural, together


class Cat(Layer):
    """The concatenation of activations along an axis of one image's, such as the channels in a DenseNet."""

    functions = (torch.cat, torch.concat, torch.concatenate)

    def __init__(self, axis: int, layout: Layout) -> None:
        self._axis, self._layout = axis, layout
        self.takes = self.gives = layout

    @classmethod
    def of(cls, call: Call, tensors: Any, dim: int = 0) -> Self | None:
        if not all(isinstance(tensor, Value) for tensor in tensors) or not isinstance(dim, int):
            return None
        axis = dim % (len(call.made) + 1)
        return cls(axis + 1, natural(call.made)) if axis else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        parts = [apart(x, given.k, self._layout) for x in inputs]
        return together(torch.cat(parts, self._axis), self._layout)
