"""Padding."""

from collections.abc import Sequence
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value, apart, natural, together


class Pad(Layer):
    """A border of constants around each image's activations; also more channels, as in He et al. 2016, option A."""

    functions = (F.pad,)

    def __init__(self, pad: Sequence[int], value: float, layout: Layout) -> None:
        self._pad, self._value, self._layout = tuple(pad), value, layout
        self.takes = self.gives = layout

    @classmethod
    def of(cls, call: Call, x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Self | None:
        if not isinstance(x, Value) or mode != "constant" or len(pad) > 2 * len(x.shape) or not call.plain:
            return None
        return cls(pad, value or 0.0, natural(x.shape))

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return together(F.pad(apart(x, given.k, self._layout), self._pad, value=self._value), self._layout)
