"""Pooling."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout


class Pool(Layer):
    """Pooling over windows. It treats each channel separately, so the channels of K runs need no change."""

    functions: ClassVar[Sequence[Callable[..., Any]]] = (F.max_pool2d, F.avg_pool2d, F.adaptive_max_pool2d)
    takes = gives = Layout.MAPS

    def __init__(self, call: Call) -> None:
        self._call = call

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return cls(call) if call.plain and len(call.values[0].shape) == 3 else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        return self._call.again(inputs)


class AdaptiveAverage(Pool):
    """Average pooling to a given size, channel after channel: in channels last, its bits depend on the channel."""

    functions = (F.adaptive_avg_pool2d,)

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        return self._call.again([x.contiguous()])
