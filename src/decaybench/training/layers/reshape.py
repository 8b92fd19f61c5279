"""Other shapes for each image's activations."""

from collections.abc import Sequence
from math import prod
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, functions_named


class Reshape(Layer):
    """Each image's activations in another shape, in the same order: a model's Flatten, for example."""

    functions = functions_named("flatten", "reshape", "squeeze", "unflatten", "unsqueeze", "view")
    takes = gives = Layout.ROWS

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        if call.function in functions_named("squeeze") and len(call.leaves) == 1:
            return None  # without an axis, it also squeezes a batch of one image
        same = len(call.values) == 1 and prod(call.values[0].shape) == prod(call.made)
        return cls(call.made) if same else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return x.reshape(*x.shape[:2], *self._shape)
