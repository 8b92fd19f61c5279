"""Elementwise functions whose results are exact or correctly rounded, so that they need no care."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, functions_named, natural


class Exact(Layer):
    """An elementwise function of one tensor, in any layout."""

    functions = functions_named(
        "abs", "clamp", "detach", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "neg",
        "relu", "relu6", "square",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        self._call = call

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return cls(call) if call.plain and len(call.values) == 1 else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        return self._call.again(inputs)


class Arithmetic(Exact):
    """A sum, difference, product or quotient of two tensors, such as a residual sum, or of a tensor and a number."""

    functions = functions_named("add", "sub", "mul", "div", "true_divide", "__rsub__", "__rdiv__", "__rtruediv__")

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        shapes = [value.shape for value in call.values]
        # Tensors of fewer dimensions would be broadcast against the dimensions of runs and images.
        if not call.plain or len({len(shape) for shape in shapes}) != 1:
            return None
        layer = cls(call)
        if len(shapes) > 1:
            same_channels = len({shape[:1] for shape in shapes}) == 1
            layer.takes = layer.gives = natural(call.made) if same_channels else Layout.ROWS
        return layer
