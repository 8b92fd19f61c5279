"""Linear layers."""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Parameter, Value


class Linear(Layer):
    """A linear layer on the last axis, as a batched matrix product."""

    functions = (F.linear,)
    takes = gives = Layout.ROWS

    def __init__(self, weight: Parameter, bias: Parameter | None) -> None:
        self._weight, self._bias = weight, bias

    @classmethod
    def of(cls, call: Call, x: Any, weight: Any, bias: Any = None) -> Self | None:
        match x, weight, bias:
            case Value(), Parameter(), Parameter() | None:
                return cls(weight, bias)
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        weight = given.tensor(self._weight).transpose(1, 2)
        rows = x.flatten(1, -2) if x.dim() > 3 else x
        if self._bias is None:
            out = torch.bmm(rows, weight)
        else:
            out = torch.baddbmm(given.tensor(self._bias).unsqueeze(1), rows, weight)
        return out.view(*x.shape[:-1], -1) if x.dim() > 3 else out
