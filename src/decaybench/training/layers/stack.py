"""K models of one architecture as one computation.

The architecture is written for ONE model. If known layers can make its calls, it runs K-wide (`wide`); any other module
is called as it is, once per run with that run's parameters (`whole`). The parameters of all K models are one ``(K, P)``
tensor, in the order of ``model.parameters()``.

On a CPU in fp32, neither K nor the other runs affect a run's bits (``tests/training/`` checks this). The K-wide layers
need at least two groups for it, because convolutions with one group use another kernel; a single run is therefore
computed twice. `training.check` decides whether a user's module may be trained like this.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from decaybench.training.layers.base import Given, Parameter
from decaybench.training.layers.merge import Untraceable
from decaybench.training.layers.noise import Noise
from decaybench.training.layers.trace import float_buffers
from decaybench.training.layers.whole import Whole
from decaybench.training.layers.wide import Wide, wide


def flatten_parameters(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """Flatten the parameters of K models of one architecture into one ``(K, P)`` tensor."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).to(dtype)


class Architecture:
    """What K models have in common. ``template`` is one of them, for images (C, H, W); its numbers are not used.

    ``wide`` is its K-wide form. It is None if the module itself must be called, and ``why_whole`` says why. ``tracks``
    is whether it keeps statistics of its batches.
    """

    def __init__(self, template: nn.Module, shape: tuple[int, int, int]) -> None:
        self.template = template
        self.parameters = [tuple(p.shape) for p in template.parameters()]
        self.wide: Wide | None = None
        self.why_whole = ""
        try:
            self.wide = wide(template, shape)
        except Untraceable as reason:
            self.why_whole = str(reason)
        # If the module itself is called, each of its copies has buffers of its own, which never change.
        self.buffers = [tuple(buffer.shape) for buffer in float_buffers(template)] if self.wide else []
        self.tracks = self.wide is not None and self.wide.mixes and bool(self.buffers)

    def flatten_buffers(self, models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
        """Flatten the floating-point buffers in which K models keep statistics into one ``(K, S)`` tensor."""
        held = [[*float_buffers(model)] if self.wide else [] for model in models]
        return torch.stack([torch.cat([torch.zeros(0), *(buffer.flatten() for buffer in own)]) for own in held]).to(
            dtype
        )


class Stack:
    """The forward pass of K models at once.

    A model of known layers runs K-wide. Any other module is called once per run or, if ``vectorised``, once for all
    runs through ``torch.func.vmap``. Vectorise on a GPU, where each call costs a launch and bits are not guaranteed
    anyway; on a CPU, vmap's convolutions took up to 3.7 times as long.

    ``fixed`` is whether a pass always runs the same operations on the device, so that a CUDA graph can record it.
    """

    def __init__(
        self, architecture: Architecture, k: int, compute_dtype: torch.dtype, *, vectorised: bool = False
    ) -> None:
        self.k = k
        self.compute_dtype = compute_dtype
        self._shapes, self._buffers = architecture.parameters, architecture.buffers
        self._sizes, self._buffer_sizes = ([math.prod(shape) for shape in own] for own in (self._shapes, self._buffers))
        self._wide = architecture.wide
        self._keeps = self._wide.keeps if self._wide else frozenset[Parameter]()
        copies = 1 if vectorised else k
        self._whole = None if self._wide else Whole(architecture.template, copies, compute_dtype)
        self.fixed = self._wide is not None and not self._wide.draws

    def forward(
        self,
        flat: Tensor,
        images: Tensor,
        noise: Noise | None = None,
        *,
        buffers: Tensor | None = None,
        training: bool = False,
        momentum: float | None = None,
    ) -> Tensor:
        """Logits ``(K, B, classes)`` for parameters ``(K, P)`` and normalised images ``(B, K, C, H, W)``.

        In ``training``, K-wide layers draw from ``noise``; without it, they draw nothing. They change ``buffers``
        ``(K, S)``, which a model with buffers needs, in place; ``momentum`` as in `Given`.
        """
        if self._whole is not None:
            return self._whole(flat, images, training)
        assert self._wide is not None
        parts = torch.split(flat, self._sizes, dim=1)  # one split, so that its backward is one concatenation
        parameters = [
            part.view(self.k, *shape).to(part.dtype if Parameter(i) in self._keeps else self.compute_dtype)
            for i, (part, shape) in enumerate(zip(parts, self._shapes, strict=True))
        ]
        held = torch.split(buffers, self._buffer_sizes, dim=1) if buffers is not None and self._buffers else ()
        kept = [part.view(self.k, *shape) for part, shape in zip(held, self._buffers, strict=True)]
        given = Given(self.k, parameters, kept, noise if training else None, momentum)
        x = images.to(self.compute_dtype).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        made = {0: x}
        for place, step in enumerate(self._wide.steps[training], 1):
            made[place] = step.layer([made[i] for i in step.inputs], given)
            for unneeded in step.last:
                del made[unneeded]
        (logits,) = made.values()
        return logits
