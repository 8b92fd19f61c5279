"""K models of one architecture as one computation: layers that compute K runs at once, each kind in a file."""

from decaybench.training.layers.base import Buffer, Call, Given, Layer, Layout, Parameter, Value
from decaybench.training.layers.dropout import DROPOUT
from decaybench.training.layers.kinds import KINDS, LAYERS
from decaybench.training.layers.merge import Untraceable
from decaybench.training.layers.noise import Noise
from decaybench.training.layers.stack import Architecture, Stack, flatten_parameters
from decaybench.training.layers.trace import trace
from decaybench.training.layers.whole import duplicate

__all__ = [
    "DROPOUT",
    "KINDS",
    "LAYERS",
    "Architecture",
    "Buffer",
    "Call",
    "Given",
    "Layer",
    "Layout",
    "Noise",
    "Parameter",
    "Stack",
    "Untraceable",
    "Value",
    "duplicate",
    "flatten_parameters",
    "trace",
]
