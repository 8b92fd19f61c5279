"""Batch normalisation."""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import (
    Buffer,
    Call,
    Given,
    Layer,
    Layout,
    Parameter,
    Value,
    apart,
    natural,
    together,
)


class BatchNorm(Layer):
    """Batch normalisation, by the statistics of each run's batch or by its running ones.

    The channels of K runs are normalised side by side. Their number per run is padded to a multiple of 16, otherwise
    the bits of the input's gradient depend on a channel's place in a register.
    """

    functions = (F.batch_norm,)
    UNIT = 16

    def __init__(
        self, shape: tuple[int, ...], held: tuple[Buffer | Parameter | None, ...], by_batch: bool, momentum: float,
        eps: float,
    ) -> None:  # fmt: skip
        self.takes = self.gives = natural(shape)
        self._held, self._by_batch, self._momentum, self._eps = held, by_batch, momentum, eps
        self.mixes = by_batch
        self.changes = by_batch and any(isinstance(own, Buffer) for own in held)
        self.keeps = [own for own in held if isinstance(own, Parameter)]

    @classmethod
    def of(
        cls,
        call: Call,
        x: Any,
        running_mean: Any,
        running_var: Any,
        weight: Any = None,
        bias: Any = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Self | None:
        match x, running_mean, running_var, weight, bias:
            case Value(), Buffer() | None, Buffer() | None, Parameter() | None, Parameter() | None if len(x.shape) <= 3:
                return cls(x.shape, (running_mean, running_var, weight, bias), training, momentum, eps)
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        shape = x.shape
        if self.takes is Layout.ROWS:
            k, images, channels, *rest = shape
            x = x.transpose(0, 1).reshape(images, k * channels, *(rest or [1]), 1)
        channels = x.shape[1] // given.k
        more = -channels % self.UNIT if given.k > 1 else 0
        if more:
            x = F.pad(apart(x, given.k, Layout.MAPS), (0, 0, 0, 0, 0, more)).flatten(1, 2)
        x = x.contiguous(memory_format=torch.channels_last)
        owned = [own and given.tensor(own) for own in self._held]
        mean, var, weight, bias = (own if own is None else F.pad(own, (0, more)).flatten() for own in owned)
        momentum = self._momentum if given.momentum is None else given.momentum
        out = F.batch_norm(x, mean, var, weight, bias, self._by_batch, momentum, self._eps)
        if self._by_batch:
            for own, new in zip(owned[:2], (mean, var), strict=True):
                if own is not None and new is not None:
                    own.copy_(new.view(given.k, -1)[:, :channels])
        if more:
            out = together(apart(out, given.k, Layout.MAPS)[:, :, :channels], Layout.MAPS)
        if self.takes is Layout.ROWS:
            out = out.reshape(images, k, channels, *rest).transpose(0, 1).contiguous()
        return out
