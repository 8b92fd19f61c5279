"""The list of layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from decaybench.training.layers.activation import Activation
from decaybench.training.layers.base import Layer
from decaybench.training.layers.batch_norm import BatchNorm
from decaybench.training.layers.cat import Cat
from decaybench.training.layers.conv import Conv
from decaybench.training.layers.dropout import ChannelDropout, Dropout
from decaybench.training.layers.exact import Arithmetic, Exact
from decaybench.training.layers.group_norm import GroupNorm, InstanceNorm
from decaybench.training.layers.layer_norm import LayerNorm
from decaybench.training.layers.linear import Linear
from decaybench.training.layers.mean import Mean
from decaybench.training.layers.pad import Pad
from decaybench.training.layers.pool import AdaptiveAverage, Pool
from decaybench.training.layers.reshape import Reshape
from decaybench.training.layers.same import Same
from decaybench.training.layers.slice import Slice
from decaybench.training.layers.softmax import Softmax

KINDS: Final[Sequence[type[Layer]]] = (
    Activation, AdaptiveAverage, Arithmetic, BatchNorm, Cat, ChannelDropout, Conv, Dropout, Exact, GroupNorm,
    InstanceNorm, LayerNorm, Linear, Mean, Pad, Pool, Reshape, Same, Slice, Softmax,
)  # fmt: skip
LAYERS: Final[Mapping[Callable[..., Any], type[Layer]]] = {
    function: kind for kind in KINDS for function in kind.functions
}
