"""K models of one architecture as one computation.

The architecture is written for ONE model. A plain ``nn.Sequential`` of the layers below runs K-wide: a convolution
becomes a grouped one (one group per run, channels last), and a linear layer becomes a batched matrix product. Any other
module is called as it is, once per run with that run's parameters. The parameters of all K models are one ``(K, P)``
tensor, in the order of ``model.parameters()``.

On a CPU in fp32, neither K nor the other runs affect a run's bits (``tests/training/`` checks this). The K-wide layers
need at least two groups for it, because convolutions with one group use another kernel; a single run is therefore
computed twice. `check` decides whether a user's module may be trained like this.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from decaybench import seeds

Layer = Callable[[Tensor, Sequence[Tensor], "Noise | None"], Tensor]
"""One layer over K models: a function of the activations, all (K, ...) parameters, and dropout's noise, if any."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def flatten_parameters(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """Flatten the parameters of K models of one architecture into one ``(K, P)`` tensor."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).to(dtype)


def decays(model: nn.Module, *, biases: bool) -> Tensor:
    """A mask ``(P,)``: 1 where weight decay applies, 0 where it does not (on biases, if ``biases`` is false)."""
    return torch.cat([torch.full((p.numel(),), float(biases or p.ndim > 1)) for p in model.parameters()])


class Noise:
    """Dropout's masks. Each seed has a generator of its own, so runs with the same seed get the same masks.

    A batch's masks are drawn once for all seeds, when a layer first needs them. When lanes are computed in several
    parts, later parts look them up.
    """

    def __init__(self, run_seeds: Sequence[int]) -> None:
        self._generators = {seed: seeds.generator(seed, "dropout") for seed in run_seeds}
        self._drawn: list[Tensor] = []  # for this batch, one (seeds, B, F) per dropout layer
        self._layer = 0
        self._rows: list[int] = []

    def next_batch(self, run_seeds: Sequence[int]) -> None:
        """Discard the previous batch's masks, and all generators but those of ``run_seeds``."""
        self._generators = {seed: self._generators[seed] for seed in dict.fromkeys(run_seeds)}
        self._drawn = []

    def select(self, run_seeds: Sequence[int]) -> None:
        """Select the masks of these runs for the next forward pass."""
        places = {seed: place for place, seed in enumerate(self._generators)}
        rows = [places[seed] for seed in run_seeds]
        self._rows, self._layer = rows if len(rows) > 1 else rows * 2, 0  # a single run is computed twice

    def keep(self, x: Tensor, share: float) -> Tensor:
        """The factors (K, B, F) for activations ``x``: 0 for the ``share`` that is dropped, else 1 / (1 - share)."""
        if self._layer == len(self._drawn):
            drawn = [torch.rand(x.shape[1:], generator=generator) for generator in self._generators.values()]
            self._drawn.append(torch.stack(drawn))
        kept = (self._drawn[self._layer] >= share)[self._rows].to(x.device, x.dtype)
        self._layer += 1
        return kept / (1 - share)


class Stack:
    """The forward pass of K models at once.

    ``template`` gives the architecture; its parameter values are not used. A plain Sequential of the layers below runs
    as K-wide layers (``wide``). Any other module is called once per run or, if ``vectorised``, once for all runs
    through ``torch.func.vmap``. Vectorise on a GPU, where each call costs a launch and bits are not guaranteed anyway;
    on a CPU, vmap's convolutions took up to 3.7 times as long.

    ``fixed`` is whether a pass always runs the same operations on the device, so that a CUDA graph can record it.
    """

    def __init__(self, template: nn.Module, k: int, compute_dtype: torch.dtype, *, vectorised: bool = False) -> None:
        self.k = k
        self.compute_dtype = compute_dtype
        self._shapes = [tuple(p.shape) for p in template.parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        self._layers = _wide(template, k)
        self._whole = _Whole(template, 1 if vectorised else k, compute_dtype) if self._layers is None else None
        self.wide = self._whole is None
        self.fixed = self.wide and not any(isinstance(module, nn.Dropout) and module.p for module in template.modules())

    def forward(self, flat: Tensor, images: Tensor, noise: Noise | None = None, *, training: bool = False) -> Tensor:
        """Logits ``(K, B, classes)`` for parameters ``(K, P)`` and normalised images ``(B, K, C, H, W)``.

        ``training`` is passed to the modules. In training, K-wide dropout layers draw from ``noise``; without it, they
        drop nothing.
        """
        if self._whole is not None:
            return self._whole(flat, images, training)
        parts = torch.split(flat, self._sizes, dim=1)  # one split, so that its backward is one concatenation
        parameters = [
            part.view(self.k, *shape).to(self.compute_dtype) for part, shape in zip(parts, self._shapes, strict=True)
        ]
        x = images.to(self.compute_dtype).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self._layers or ():
            x = layer(x, parameters, noise if training else None)
        return x


class _Whole:
    """Any nn.Module over K parameter sets: one copy per run, or one copy vectorised over all runs."""

    def __init__(self, template: nn.Module, copies: int, dtype: torch.dtype) -> None:
        self._modules = [duplicate(template, dtype) for _ in range(copies)]
        self._shapes = [(name, tuple(p.shape)) for name, p in template.named_parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        self._dtype = dtype
        # The places that hold each parameter: several for a tied one.
        self._places = []
        for module in self._modules:
            names = {id(p): name for name, p in module.named_parameters()}
            held = [(part._parameters, name, p) for part in module.modules() for name, p in part._parameters.items()]
            self._places.append([(holder, name, names[id(p)]) for holder, name, p in held if p is not None])

    def __call__(self, flat: Tensor, images: Tensor, training: bool) -> Tensor:
        # Each run gets its images in memory of its own, as a model alone would: a module may write into them or view
        # them. Its parameters, too, are cloned, so that their address does not depend on the run's place in the stack.
        x = images.to(self._dtype).transpose(0, 1)
        if len(self._modules) < len(flat):
            self._modules[0].to(flat.device).train(training)
            together: Tensor = torch.func.vmap(self._called)(flat, x.clone(memory_format=torch.contiguous_format))
            return together
        runs = zip(self._modules, self._places, flat.unbind(), x.unbind(), strict=True)
        return torch.stack([self._alone(*run, training) for run in runs])

    def _alone(
        self, module: nn.Module, places: list[tuple[Any, str, str]], flat: Tensor, images: Tensor, training: bool
    ) -> Tensor:
        """Call one run's copy. It keeps the run's parameters until the next call, since the backward pass may run parts
        of it again, for example with activation checkpointing.
        """
        values = self._values(flat.clone())
        for holder, name, parameter in places:
            holder[name] = values[parameter]
        out: Tensor = module.train(training)(images.clone(memory_format=torch.contiguous_format))
        return out

    def _called(self, flat: Tensor, images: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(self._modules[0], self._values(flat), (images,))
        return out

    def _values(self, flat: Tensor) -> dict[str, Tensor]:
        parts = torch.split(flat, self._sizes)
        return {name: part.view(shape).to(self._dtype) for (name, shape), part in zip(self._shapes, parts, strict=True)}


def duplicate(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Copy a module and convert its floating-point buffers to ``dtype``: a float32 constant would widen a bf16 run.

    Complex buffers keep their type; ``Module.to`` would discard their imaginary part.
    """
    # Tensors that a hook computed from parameters (weight_norm, prune) are not leaves, and torch copies only leaves.
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    made = copy.deepcopy(module, {id(value): value.detach().clone() for value in held if not value.is_leaf})
    for part in made.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                part._buffers[name] = buffer.to(dtype)
    return made


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, B)``, from logits ``(K, B, C)`` and labels ``(K, B)``.

    bf16 logits are widened first: a loss with eight bits of mantissa is too coarse for a loss-reactive learning rate.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    return F.cross_entropy(wide.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def runs_wide(template: nn.Module) -> bool:
    """Whether a stack of ``template`` runs K-wide layers instead of the module itself."""
    return _wide(template, 2) is not None


def _wide(template: nn.Module, k: int) -> list[Layer] | None:
    """The K-wide layers, one of which is Flatten; None if ``template`` must be called itself."""
    # Compare the exact type, since a subclass may have a forward of its own.
    if type(template) is not nn.Sequential or any(_altered(module) for module in (template, *template)):
        return None
    # Look parameters up by identity, so that a layer or weight used twice is one parameter.
    places = {id(parameter): place for place, parameter in enumerate(template.parameters())}
    layers: list[Layer] = []
    rows = False  # whether activations are (K, B, F) rather than (B, K·C, H, W)
    for module in template:
        layer = _on_rows(module, places) if rows else _on_maps(module, places, k)
        if layer is None:
            return None
        layers.append(layer)
        rows = rows or isinstance(module, nn.Flatten)
    return layers if rows else None


def _altered(module: nn.Module) -> bool:
    """Whether calling the module does more than its class's forward, through hooks or replaced methods."""
    everywhere = _has_any_global_hook()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    methods = any(callable(getattr(type(module), name, None)) for name in vars(module))
    return methods or any(vars(module)[name] for name in HOOKS) or bool(everywhere)


def _on_maps(module: nn.Module, places: dict[int, int], k: int) -> Layer | None:
    """The K-wide form of a layer before Flatten, or None if there is none."""
    match module:
        case nn.Conv2d(groups=1, padding_mode="zeros") if (own := _own(module, nn.Conv2d, places)) is not None:
            return partial(_conv, module, k, *own)
        case nn.MaxPool2d(return_indices=False) if type(module) is nn.MaxPool2d:
            return lambda x, *_: module(x)  # pools each channel separately, so K·C channels need no change
        case nn.Flatten(start_dim=1, end_dim=-1) if type(module) is nn.Flatten:
            return lambda x, *_: _to_rows(k, x)
    return _anywhere(module)


def _on_rows(module: nn.Module, places: dict[int, int]) -> Layer | None:
    """The K-wide form of a layer after Flatten, or None if there is none."""
    match module:
        case nn.Linear() if (own := _own(module, nn.Linear, places)) is not None:
            return partial(_linear, *own)
        case nn.Dropout(p=share) if type(module) is nn.Dropout and share:
            return lambda x, _, noise: x if noise is None else x * noise.keep(x, share)
    return _anywhere(module)


def _anywhere(module: nn.Module) -> Layer | None:
    if type(module) is nn.ReLU:
        return lambda x, *_: F.relu(x)
    if type(module) is nn.Dropout and not module.p:
        return lambda x, *_: x
    return None


def _own(module: nn.Conv2d | nn.Linear, kind: type, places: dict[int, int]) -> tuple[int, int | None] | None:
    """The places of the layer's weight and bias; None if one of them is not a parameter of the network."""
    weight, bias = places.get(id(module.weight)), places.get(id(module.bias))
    if type(module) is not kind or weight is None or (bias is None and module.bias is not None):
        return None
    return weight, bias


def _conv(
    module: nn.Conv2d, k: int, own: int, bias: int | None, x: Tensor, parameters: Sequence[Tensor], _: Noise | None
) -> Tensor:
    weight = parameters[own].flatten(0, 1)
    shift = parameters[bias].flatten() if bias is not None else None
    return F.conv2d(x, weight, shift, module.stride, module.padding, module.dilation, groups=k)


def _linear(own: int, bias: int | None, x: Tensor, parameters: Sequence[Tensor], _: Noise | None) -> Tensor:
    weight = parameters[own].transpose(1, 2)
    if bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(parameters[bias].unsqueeze(1), x, weight)


def _to_rows(k: int, x: Tensor) -> Tensor:
    """Reshape (B, K·C, H, W) to (K, B, C·H·W), with each row in the order of one model's Flatten."""
    return x.reshape(x.shape[0], k, -1).transpose(0, 1).contiguous()
