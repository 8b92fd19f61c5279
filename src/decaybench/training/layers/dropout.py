"""Dropout."""

from typing import Self

from torch import Tensor, nn

from decaybench.training.layers.base import Given, Layer, Layout, Places


class Dropout(Layer):
    """Dropout of rows, with masks from each run's own generator."""

    modules = (nn.Dropout,)

    def __init__(self, share: float) -> None:
        self._share = share
        self.draws = share > 0
        self.takes = Layout.ROWS if self.draws else None

    @classmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        return cls(module.p) if isinstance(module, nn.Dropout) else None

    def __call__(self, x: Tensor, given: Given) -> Tensor:
        return x * given.noise.keep(x, self._share) if given.noise is not None and self.draws else x
