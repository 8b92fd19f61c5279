"""Group and instance normalisation."""

from collections.abc import Sequence
from typing import Any, Self

import torch.nn.functional as F
from torch import Tensor

from decaybench.training.layers.base import Call, Given, Layer, Layout, Parameter, Value


class _Grouped(Layer):
    takes = gives = Layout.MAPS

    def __init__(self, groups: int, weight: Parameter | None, bias: Parameter | None, eps: float) -> None:
        self._groups, self._weight, self._bias, self._eps = groups, weight, bias, eps
        self.keeps = [own for own in (weight, bias) if own is not None]

    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        (x,) = inputs
        weight, bias = (own if own is None else given.tensor(own).flatten() for own in (self._weight, self._bias))
        return F.group_norm(x, given.k * self._groups, weight, bias, self._eps)


class GroupNorm(_Grouped):
    """Group normalisation, with the groups of all runs side by side."""

    functions = (F.group_norm,)

    @classmethod
    def of(
        cls, call: Call, x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
    ) -> Self | None:
        match x, weight, bias:
            case Value(shape=(_, _, _)), Parameter() | None, Parameter() | None:
                return cls(num_groups, weight, bias, eps)
        return None


class InstanceNorm(_Grouped):
    """Instance normalisation by each image's own statistics: each channel is a group."""

    functions = (F.instance_norm,)

    @classmethod
    def of(
        cls,
        call: Call,
        x: Any,
        running_mean: Any = None,
        running_var: Any = None,
        weight: Any = None,
        bias: Any = None,
        use_input_stats: bool = True,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Self | None:
        match x, running_mean, running_var, weight, bias:
            case Value(shape=(channels, _, _)), None, None, Parameter() | None, Parameter() | None:
                return cls(channels, weight, bias, eps)
        return None
