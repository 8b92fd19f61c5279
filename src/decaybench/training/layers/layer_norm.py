"""Layer normalisation."""

from collections.abc import Sequence
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Parameter, Value


class LayerNorm(Layer):
    """Layer normalisation over the last axes."""

    functions = (F.layer_norm,)
    takes = gives = Layout.ROWS

    def __init__(self, shape: Sequence[int], weight: Parameter | None, bias: Parameter | None, eps: float) -> None:
        self._shape, self._weight, self._bias, self._eps = tuple(shape), weight, bias, eps
        self.keeps = [own for own in (weight, bias) if own is not None]

    @classmethod
    def of(
        cls, call: Call, x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
    ) -> Self | None:
        match x, weight, bias:
            case Value(), Parameter() | None, Parameter() | None:
                return cls(normalized_shape, weight, bias, eps)
        return None

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        out = F.layer_norm(x, self._shape, eps=self._eps)
        if self._weight is not None:
            out = out * self._own(self._weight, out, given)
        if self._bias is not None:
            out = out + self._own(self._bias, out, given)
        return out.to(x.dtype)

    @staticmethod
    def _own(own: Parameter, out: Tensor, given: Given) -> Tensor:
        value = given.tensor(own)
        return value.view(given.k, *[1] * (out.dim() - value.dim()), *value.shape[1:])
