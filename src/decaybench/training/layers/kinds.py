"""The list of layers."""

from collections.abc import Mapping, Sequence
from typing import Final

from torch import nn

from decaybench.training.layers.activation import ReLU
from decaybench.training.layers.base import Layer
from decaybench.training.layers.conv import Conv
from decaybench.training.layers.dropout import Dropout
from decaybench.training.layers.flatten import Flatten
from decaybench.training.layers.linear import Linear
from decaybench.training.layers.pool import MaxPool

KINDS: Final[Sequence[type[Layer]]] = (Conv, Linear, MaxPool, ReLU, Dropout, Flatten)
LAYERS: Final[Mapping[type[nn.Module], type[Layer]]] = {module: kind for kind in KINDS for module in kind.modules}
