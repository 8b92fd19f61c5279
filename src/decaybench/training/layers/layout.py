"""From one layout to the other."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, apart, together


class ToRows(Layer):
    """Maps as rows, (K, B, C, H, W)."""

    functions = ()
    takes, gives = Layout.MAPS, Layout.ROWS

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return apart(x, given.k, Layout.MAPS).transpose(0, 1).contiguous()


class ToMaps(Layer):
    """Rows (K, B, C, H, W) as maps."""

    functions = ()
    takes, gives = Layout.ROWS, Layout.MAPS

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return together(x.transpose(0, 1), Layout.MAPS)
