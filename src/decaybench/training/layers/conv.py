"""Convolutions."""

from collections.abc import Sequence
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Parameter, Value


class Conv(Layer):
    """A convolution as a grouped one, with the groups of all runs side by side.

    With fewer than two groups, torch uses another kernel, which gives other bits.
    """

    functions = (F.conv2d,)
    takes = gives = Layout.MAPS

    def __init__(
        self, weight: Parameter, bias: Parameter | None, groups: int, stride: Any, padding: Any, dilation: Any
    ) -> None:
        self._weight, self._bias, self._groups = weight, bias, groups
        self._stride, self._padding, self._dilation = stride, padding, dilation

    @classmethod
    def of(
        cls,
        call: Call,
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Self | None:
        match x, weight, bias:
            case Value(), Parameter(), Parameter() | None:
                return cls(weight, bias, groups, stride, padding, dilation)
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        weight = given.tensor(self._weight).flatten(0, 1)
        shift = given.tensor(self._bias).flatten() if self._bias is not None else None
        groups = given.k * self._groups
        return F.conv2d(x, weight, shift, self._stride, self._padding, self._dilation, groups)
