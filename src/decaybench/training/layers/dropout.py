"""Dropout."""

from collections.abc import Sequence
from typing import Any, Final, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Value, natural, together


class Dropout(Layer):
    """Dropout of single activations, with masks from each run's own generator."""

    functions = (F.dropout,)

    def __init__(self, share: float, shape: tuple[int, ...]) -> None:
        self._share, self._shape = share, shape
        self.draws = share > 0
        self._layout = natural(shape)
        self.takes = self._layout if self.draws else None

    @classmethod
    def of(cls, call: Call, x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Self | None:
        return cls(p if training else 0.0, x.shape) if isinstance(x, Value) else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        if given.noise is None or not self.draws:
            return x
        images = len(x) if self._layout is Layout.MAPS else x.shape[1]
        kept = given.noise.keep((images, *self._drawn()), self._share, x)
        return x * (together(kept.transpose(0, 1), self._layout) if self._layout is Layout.MAPS else kept)

    def _drawn(self) -> tuple[int, ...]:
        """The shape of one image's mask."""
        return self._shape


class ChannelDropout(Dropout):
    """Dropout of whole channels."""

    functions = (F.dropout2d,)

    @classmethod
    def of(cls, call: Call, x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Self | None:
        maps = isinstance(x, Value) and len(x.shape) == 3
        return super().of(call, x, p, training) if maps else None

    def _drawn(self) -> tuple[int, ...]:
        return (self._shape[0], 1, 1)


DROPOUT: Final = frozenset({*Dropout.functions, *ChannelDropout.functions})
