"""Convolutions."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Layout, Places, weight_and_bias


class Conv(Layer):
    """A convolution as a grouped one, with one group per run.

    With fewer than two groups, torch uses another kernel, which gives other bits.
    """

    modules = (nn.Conv2d,)
    takes = gives = Layout.MAPS

    def __init__(self, module: nn.Conv2d, weight: int, bias: int | None) -> None:
        self._module, self._weight, self._bias = module, weight, bias

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        match module:
            case nn.Conv2d(groups=1, padding_mode="zeros") if (own := weight_and_bias(module, places)) is not None:
                return cls(module, *own)
        return None

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        weight = given.parameters[self._weight].flatten(0, 1)
        shift = given.parameters[self._bias].flatten() if self._bias is not None else None
        one = self._module
        return F.conv2d(x, weight, shift, one.stride, one.padding, one.dilation, groups=given.k)
