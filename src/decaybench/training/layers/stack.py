"""K models of one architecture as one computation.

The architecture is written for ONE model. If it is made of known layers, it runs K-wide (`wide`); any other module is
called as it is, once per run with that run's parameters (`whole`). The parameters of all K models are one ``(K, P)``
tensor, in the order of ``model.parameters()``.

On a CPU in fp32, neither K nor the other runs affect a run's bits (``tests/training/`` checks this). The K-wide layers
need at least two groups for it, because convolutions with one group use another kernel; a single run is therefore
computed twice. `training.check` decides whether a user's module may be trained like this.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from decaybench.training.layers.base import Given
from decaybench.training.layers.noise import Noise
from decaybench.training.layers.whole import Whole
from decaybench.training.layers.wide import float_buffers, wide


def flatten_parameters(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """Flatten the parameters of K models of one architecture into one ``(K, P)`` tensor."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).to(dtype)


def flatten_buffers(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """Flatten the floating-point buffers of K models of one architecture into one ``(K, S)`` tensor.

    S is 0 if the module itself is called: each of its copies has buffers of its own, which never change.
    """
    if not runs_wide(models[0]):
        return torch.zeros(len(models), 0, dtype=dtype)
    rows = [torch.cat([torch.zeros(0), *(buffer.flatten() for buffer in float_buffers(model))]) for model in models]
    return torch.stack(rows).to(dtype)


class Stack:
    """The forward pass of K models at once.

    ``template`` gives the architecture; its parameter values are not used. A model of known layers runs K-wide
    (``wide``). Any other module is called once per run or, if ``vectorised``, once for all runs through
    ``torch.func.vmap``. Vectorise on a GPU, where each call costs a launch and bits are not guaranteed anyway; on a
    CPU, vmap's convolutions took up to 3.7 times as long.

    ``fixed`` is whether a pass always runs the same operations on the device, so that a CUDA graph can record it.
    """

    def __init__(self, template: nn.Module, k: int, compute_dtype: torch.dtype, *, vectorised: bool = False) -> None:
        self.k = k
        self.compute_dtype = compute_dtype
        self._shapes = [tuple(p.shape) for p in template.parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        layers = wide(template)
        self._layers = layers or ()
        self._buffers = [tuple(buffer.shape) for buffer in float_buffers(template)] if layers else []
        self._buffer_sizes = [math.prod(shape) for shape in self._buffers]
        self._whole = Whole(template, 1 if vectorised else k, compute_dtype) if layers is None else None
        self.wide = self._whole is None
        self.fixed = self.wide and not any(layer.draws for layer in self._layers)

    def forward(
        self,
        flat: Tensor,
        images: Tensor,
        noise: Noise | None = None,
        *,
        buffers: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        """Logits ``(K, B, classes)`` for parameters ``(K, P)`` and normalised images ``(B, K, C, H, W)``.

        ``training`` is passed to the modules. In training, K-wide layers draw from ``noise``; without it, they draw
        nothing. They change ``buffers`` ``(K, S)``, which a model with buffers needs, in place.
        """
        if self._whole is not None:
            return self._whole(flat, images, training)
        parts = torch.split(flat, self._sizes, dim=1)  # one split, so that its backward is one concatenation
        parameters = [
            part.view(self.k, *shape).to(self.compute_dtype) for part, shape in zip(parts, self._shapes, strict=True)
        ]
        held = torch.split(buffers, self._buffer_sizes, dim=1) if buffers is not None and self._buffers else ()
        kept = [part.view(self.k, *shape) for part, shape in zip(held, self._buffers, strict=True)]
        given = Given(self.k, parameters, kept, noise if training else None, training)
        x = images.to(self.compute_dtype).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self._layers:
            x = layer(x, given)
        return x


def runs_wide(template: nn.Module) -> bool:
    """Whether a stack of ``template`` runs K-wide layers instead of the module itself."""
    return wide(template) is not None
