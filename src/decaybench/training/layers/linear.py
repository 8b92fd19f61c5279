"""Linear layers."""

from typing import Self

import torch
from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Layout, Places, weight_and_bias


class Linear(Layer):
    """A linear layer as a batched matrix product."""

    modules = (nn.Linear,)
    takes = gives = Layout.ROWS

    def __init__(self, weight: int, bias: int | None) -> None:
        self._weight, self._bias = weight, bias

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        if isinstance(module, nn.Linear) and (own := weight_and_bias(module, places)) is not None:
            return cls(*own)
        return None

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        weight = given.parameters[self._weight].transpose(1, 2)
        if self._bias is None:
            return torch.bmm(x, weight)
        return torch.baddbmm(given.parameters[self._bias].unsqueeze(1), x, weight)
