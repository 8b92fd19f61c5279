"""From one layout to the other."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, apart, together


class _Change(Layer):
    """A change of layout, which no call of a model asks for."""

    functions = ()

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return None


class ToRows(_Change):
    """Maps as rows, (K, B, C, H, W)."""

    takes, gives = Layout.MAPS, Layout.ROWS

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return apart(x, given.k, Layout.MAPS).transpose(0, 1).contiguous()


class ToMaps(_Change):
    """Rows (K, B, C, H, W) as maps."""

    takes, gives = Layout.ROWS, Layout.MAPS

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return together(x.transpose(0, 1), Layout.MAPS)
