"""K models of one architecture as one computation: layers that compute K runs at once, each kind in a file."""

from decaybench.training.layers.base import Given, Layer, Layout, Places
from decaybench.training.layers.kinds import KINDS, LAYERS
from decaybench.training.layers.noise import Noise
from decaybench.training.layers.stack import Stack, flatten_buffers, flatten_parameters, runs_wide
from decaybench.training.layers.whole import duplicate

__all__ = [
    "KINDS",
    "LAYERS",
    "Given",
    "Layer",
    "Layout",
    "Noise",
    "Places",
    "Stack",
    "duplicate",
    "flatten_buffers",
    "flatten_parameters",
    "runs_wide",
]
