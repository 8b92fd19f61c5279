"""K models of one architecture as one computation.

The architecture is written for ONE model. A plain ``nn.Sequential`` of the layers below is run K-wide: a convolution
becomes a grouped one (group = run, channels last), a linear layer a batched matrix product. Any other module is called
as it is, with one run's parameters after the other's. Parameters of all K models live in one ``(K, P)`` tensor, in the
order of ``model.parameters()``.

On CPU in fp32 a run has the same bits whatever K and its neighbours are: the wide kernels as long as there are two
groups or more (one group takes another kernel; hence the loop pads a lone run to two), a module by itself always.
``tests/training/`` holds them to it. Whether a module of a user's own may be trained so is for `check` to say.
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
"""One layer over K models: takes the activations, and of all (K, ...) parameters its own, and may drop."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def flatten_parameters(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """The parameters of K models of one architecture as one ``(K, P)`` tensor."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).to(dtype)


def decays(model: nn.Module, *, biases: bool) -> Tensor:
    """``(P,)``: 1 where weight decay applies, 0 where it does not (the biases, when ``biases`` is false)."""
    return torch.cat([torch.full((p.numel(),), float(biases or p.ndim > 1)) for p in model.parameters()])


class Noise:
    """Dropout's randomness: every run draws from a generator of its own seed, so that runs of one seed see one mask.

    A batch's masks are drawn once, for all seeds; lanes that are computed apart look them up.
    """

    def __init__(self, run_seeds: Sequence[int]) -> None:
        self._generators = {seed: seeds.generator(seed, "dropout") for seed in run_seeds}
        self._drawn: list[Tensor] = []  # of this batch, one (seeds, B, F) for each layer that drops
        self._layer = 0
        self._rows: list[int] = []

    def next_batch(self, run_seeds: Sequence[int]) -> None:
        """Forget the masks of the batch before; only runs of these seeds go on."""
        self._generators = {seed: self._generators[seed] for seed in dict.fromkeys(run_seeds)}
        self._drawn = []

    def look(self, run_seeds: Sequence[int]) -> None:
        """The forward pass that follows is of these runs."""
        places = {seed: place for place, seed in enumerate(self._generators)}
        rows = [places[seed] for seed in run_seeds]
        self._rows, self._layer = rows if len(rows) > 1 else rows * 2, 0  # a lone run is computed twice

    def keep(self, x: Tensor, share: float) -> Tensor:
        """What activations ``x`` (K, B, F) are multiplied with when ``share`` of them is dropped: 0 or 1 / (1 -
        share).
        """
        if self._layer == len(self._drawn):
            drawn = [torch.rand(x.shape[1:], generator=generator) for generator in self._generators.values()]
            self._drawn.append(torch.stack(drawn))
        kept = (self._drawn[self._layer] >= share)[self._rows].to(x.device, x.dtype)
        self._layer += 1
        return kept / (1 - share)


class Stack:
    """The forward pass of K models at once.

    ``template`` gives the architecture (its own parameter values are not used). A plain Sequential of the layers named
    below is run as K-wide layers. Any other module is called with one run's parameters after the other's or, where it
    is ``vectorised``, with all at once through ``torch.func.vmap``: on a GPU, where each call costs a launch and no
    bits are promised. On a CPU vmap's convolutions were measured at up to 3.7 times the time.
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

        ``training`` is what modules see as their ``training``; ``noise`` is dropout's then, without which nothing is
        dropped.
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
    """Any nn.Module over K parameter sets: a copy of it for each run, or one that is vectorised over all of them."""

    def __init__(self, template: nn.Module, copies: int, dtype: torch.dtype) -> None:
        self._modules = [duplicate(template, dtype) for _ in range(copies)]
        self._shapes = [(name, tuple(p.shape)) for name, p in template.named_parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        self._dtype = dtype
        # Where each parameter is held; one that is tied is held in several places.
        self._places = []
        for module in self._modules:
            names = {id(p): name for name, p in module.named_parameters()}
            held = [(part._parameters, name, p) for part in module.modules() for name, p in part._parameters.items()]
            self._places.append([(holder, name, names[id(p)]) for holder, name, p in held if p is not None])

    def __call__(self, flat: Tensor, images: Tensor, training: bool) -> Tensor:
        # Each run's images are its own memory, as they are for a model alone: a module may write into them, and view
        # them. So are its parameters, at an address that does not tell its place among others.
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
        """One run's own copy, which holds the run's parameters until the next call: checkpointing, for one, runs parts
        of it again in the backward pass.
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
    """A copy whose floating buffers are of ``dtype``, so that a constant does not widen a half-precision run.

    Complex buffers keep their type, unlike with ``Module.to``, which would take their imaginary part.
    """
    # What a hook computed from parameters (weight_norm, prune) is no leaf, which torch does not copy.
    held = [value for part in module.modules() for value in vars(part).values() if isinstance(value, Tensor)]
    made = copy.deepcopy(module, {id(value): value.detach().clone() for value in held if not value.is_leaf})
    for part in made.modules():
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point():
                part._buffers[name] = buffer.to(dtype)
    return made


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, B)``, from logits ``(K, B, C)`` and labels ``(K, B)``.

    bf16 logits are widened first: a loss with eight bits of mantissa is no basis for a loss-reactive learning rate.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    return F.cross_entropy(wide.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def runs_wide(template: nn.Module) -> bool:
    """Whether a stack of it runs K-wide layers, and not the module itself."""
    return _wide(template, 2) is not None


def _wide(template: nn.Module, k: int) -> list[Layer] | None:
    """The layers over K models, one Flatten among them; None where only the module itself says what it computes."""
    # The type itself: a subclass may have a forward of its own.
    if type(template) is not nn.Sequential or any(_altered(module) for module in (template, *template)):
        return None
    # By identity, so that a layer or a weight that is used twice is the same parameter twice.
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
    """Whether a call of the module is more than its class' forward."""
    everywhere = _has_any_global_hook()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    methods = any(callable(getattr(type(module), name, None)) for name in vars(module))
    return methods or any(vars(module)[name] for name in HOOKS) or bool(everywhere)


def _on_maps(module: nn.Module, places: dict[int, int], k: int) -> Layer | None:
    """The layer before Flatten; None for one that is not known there."""
    match module:
        case nn.Conv2d(groups=1, padding_mode="zeros") if (own := _own(module, nn.Conv2d, places)) is not None:
            return partial(_conv, module, k, *own)
        case nn.MaxPool2d(return_indices=False) if type(module) is nn.MaxPool2d:
            return lambda x, *_: module(x)  # acts on each channel by itself: the same for K·C channels
        case nn.Flatten(start_dim=1, end_dim=-1) if type(module) is nn.Flatten:
            return lambda x, *_: _to_rows(k, x)
    return _anywhere(module)


def _on_rows(module: nn.Module, places: dict[int, int]) -> Layer | None:
    """The layer after Flatten; None for one that is not known there."""
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
    """Which parameters are the layer's weight and bias; None where its weight or bias is no parameter of the net."""
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
    """(B, K·C, H, W) to (K, B, C·H·W), each row in the order that one model's Flatten gives."""
    return x.reshape(x.shape[0], k, -1).transpose(0, 1).contiguous()
