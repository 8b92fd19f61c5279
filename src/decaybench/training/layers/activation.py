"""Elementwise activations."""

from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, functions_named


class Activation(Layer):
    """An elementwise function that is not rounded correctly, such as tanh.

    torch computes the body of a vector with one function and its tail with another, which gives other bits. So the
    numbers are computed as one vector, padded until there is no tail.
    """

    functions = functions_named("celu", "elu", "gelu", "mish", "selu", "sigmoid", "silu", "softplus", "tanh")
    UNIT = 64  # a multiple of the numbers that torch computes at once, on any machine

    def __init__(self, call: Call) -> None:
        self._call = call

    @classmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        return cls(call) if call.plain else None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        maps = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        dense = x.permute(0, 2, 3, 1) if maps else x
        vector = dense.reshape(-1)
        n = vector.numel()
        padded = F.pad(vector, (0, -n % self.UNIT)) if n % self.UNIT and given.k > 1 else vector
        out = self._call.again([padded])[:n].view(dense.shape)
        return out.permute(0, 3, 1, 2) if maps else out
