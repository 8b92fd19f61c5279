"""From maps to rows."""

from typing import Self

from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Layout, Places


class Flatten(Layer):
    """Each image's maps as one row, in the order of one model's Flatten."""

    modules = (nn.Flatten,)
    takes, gives = Layout.MAPS, Layout.ROWS

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        match module:
            case nn.Flatten(start_dim=1, end_dim=-1):
                return cls()
        return None

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        return x.reshape(x.shape[0], given.k, -1).transpose(0, 1).contiguous()
