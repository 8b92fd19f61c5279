"""Parts of each image's activations."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value, apart, natural, together


class Slice(Layer):
    """Indices and slices of each image's activations, such as every second row of the shortcut in He et al. 2016."""

    functions = (Tensor.__getitem__,)

    def __init__(self, index: tuple[Any, ...], layout: Layout) -> None:
        self._index, self._layout = index, layout
        self.takes = self.gives = layout

    @classmethod
    def of(cls, call: Call, x: Any, index: Any) -> Self | None:
        parts = index if isinstance(index, tuple) else (index,)
        simple = all(part is None or isinstance(part, int | slice) for part in parts)
        if not isinstance(x, Value) or not simple or not parts or parts[0] != slice(None):
            return None
        layout = natural(x.shape) if all(isinstance(part, slice) for part in parts) else Layout.ROWS
        return cls((slice(None), *parts), layout)

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return together(apart(x, given.k, self._layout)[self._index], self._layout)
