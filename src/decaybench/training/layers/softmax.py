"""Softmax and its logarithm."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value, functions_named


class Softmax(Layer):
    """The softmax, or its logarithm, over the last axis."""

    functions = functions_named("softmax", "log_softmax")
    takes = gives = Layout.ROWS

    def __init__(self, call: Call) -> None:
        self._call = call

    @classmethod
    def of(cls, call: Call, x: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Self | None:
        if not isinstance(x, Value) or dim is None or dtype is not None or dim % (len(x.shape) + 1) == 0:
            return None
        last = dim % (len(x.shape) + 1) == len(x.shape)
        return cls(call._replace(args=(x, -1), kwargs={})) if last else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        return self._call.again(inputs)
