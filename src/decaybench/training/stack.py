"""K models of one architecture as one computation.

The architecture is written for ONE model, an ``nn.Sequential``; the stack reads its layers and runs them K at a time: a
convolution becomes a grouped one (group = run, channels last), a linear layer a batched matrix product. Parameters of
all K models live in one ``(K, P)`` tensor, in the order of ``model.parameters()``.

On CPU in fp32 these kernels give a run the same bits whatever K and its neighbours are, as long as there are two
groups or more (one group takes another kernel); hence the loop pads a lone run to two.
``tests/training/test_stack.py`` holds them to it.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from decaybench import seeds
from decaybench.errors import UserError

Layer = Callable[[Tensor, Iterator[Tensor], "Noise | None"], Tensor]
"""One layer over K models: takes the activations, draws its own (K, ...) parameters from the iterator, and may drop."""


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

    ``template`` gives the architecture (its own parameter values are not used). A Sequential of the layers named above
    is run as K-wide layers; any other module goes through ``torch.func.vmap``. Raises ``UserError`` for a module whose
    examples or runs would not be independent: batch norm, and dropout where no run's own generator reaches.
    """

    def __init__(self, template: nn.Module, k: int, compute_dtype: torch.dtype) -> None:
        self.k = k
        self.compute_dtype = compute_dtype
        self._shapes = [tuple(p.shape) for p in template.parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        # The type itself: a subclass may have a forward of its own, which only vmap would run.
        layers = [_stacked(module, k) for module in template] if type(template) is nn.Sequential else [None]
        self._layers = [layer for layer in layers if layer is not None]
        self._whole = None if len(self._layers) == len(layers) else _Vmapped(template, compute_dtype)
        self.fixed = self._whole is None and not any(isinstance(module, nn.Dropout) for module in template.modules())

    def forward(self, flat: Tensor, images: Tensor, noise: Noise | None = None) -> Tensor:
        """Logits ``(K, B, classes)`` for parameters ``(K, P)`` and normalised images ``(B, K, C, H, W)``.

        ``noise`` is dropout's, in training; without it nothing is dropped.
        """
        parts = torch.split(flat, self._sizes, dim=1)  # one split, so that its backward is one concatenation
        parameters = [
            part.view(self.k, *shape).to(self.compute_dtype) for part, shape in zip(parts, self._shapes, strict=True)
        ]
        x = images.to(self.compute_dtype)
        if self._whole is not None:
            return self._whole(parameters, x.transpose(0, 1))
        x = x.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        remaining = iter(parameters)
        for layer in self._layers:
            x = layer(x, remaining, noise)
        return x


class _Vmapped:
    """Any nn.Module over K parameter sets: its own forward, vectorised. Buffers are shared by all runs."""

    def __init__(self, template: nn.Module, dtype: torch.dtype) -> None:
        for module in template.modules():
            if isinstance(module, _BatchNorm | _DropoutNd) or getattr(module, "track_running_stats", False):
                raise UserError(
                    f"task.model: {module} cannot be stacked: it keeps state across a batch or draws from a shared "
                    "generator; GroupNorm and LayerNorm can"
                )
        # Buffers in the compute dtype: a half-precision run must not be widened by a constant.
        self._template = copy.deepcopy(template).to(dtype)
        self._names = [name for name, _ in template.named_parameters()]
        self._over_runs = torch.func.vmap(self._one, in_dims=(0, 0))

    def _one(self, parameters: list[Tensor], x: Tensor) -> Tensor:
        values = dict(zip(self._names, parameters, strict=True))
        out: Tensor = torch.func.functional_call(self._template, values, (x,))
        return out

    def __call__(self, parameters: list[Tensor], x: Tensor) -> Tensor:
        self._template.to(x.device)
        out: Tensor = self._over_runs(parameters, x)
        return out


def check_model(template: nn.Module, shape: tuple[int, int, int], classes: int) -> None:
    """Try a model on two examples in a stack of two; UserError, in one line, when it cannot be stacked."""
    if frozen := [name for name, p in template.named_parameters() if not p.requires_grad]:
        raise UserError(
            f"task.model: every parameter is trained, but {', '.join(frozen[:3])} must not be (requires_grad)"
        )
    stack = Stack(template, 2, torch.float32)
    flat = flatten_parameters([template, template], torch.float32)
    try:
        with torch.no_grad():
            logits = stack.forward(flat, torch.zeros(2, 2, *shape))
    except Exception as error:  # whatever a module of the user's own raises
        raise UserError(f"task.model: {type(template).__name__} cannot be stacked: {error}") from error
    if logits.shape != (2, 2, classes):
        raise UserError(
            f"task.model: {type(template).__name__} must give {classes} logits an example, "
            f"got an output of shape {tuple(logits.shape[1:])} for 2 examples"
        )


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, B)``, from logits ``(K, B, C)`` and labels ``(K, B)``.

    bf16 logits are widened first: a loss with eight bits of mantissa is no basis for a loss-reactive learning rate.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    return F.cross_entropy(wide.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def _stacked(module: nn.Module, k: int) -> Layer | None:
    """The layer over K models; None for one that only vmap can stack."""
    if type(module) not in (nn.Conv2d, nn.Linear, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Dropout):
        return None
    match module:
        case nn.Conv2d(groups=1, padding_mode="zeros"):
            return partial(_conv, module, k)
        case nn.Linear():
            return partial(_linear, module)
        case nn.ReLU() | nn.MaxPool2d():  # act on each channel by itself: the same for K·C channels
            return lambda x, *_: module(x)
        case nn.Flatten(start_dim=1, end_dim=-1):
            return lambda x, *_: _to_rows(k, x)
        case nn.Dropout():
            return partial(_drop, module)
    return None


def _conv(module: nn.Conv2d, k: int, x: Tensor, parameters: Iterator[Tensor], _: Noise | None) -> Tensor:
    weight = next(parameters).flatten(0, 1)
    bias = next(parameters).flatten() if module.bias is not None else None
    return F.conv2d(x, weight, bias, module.stride, module.padding, module.dilation, groups=k)


def _linear(module: nn.Linear, x: Tensor, parameters: Iterator[Tensor], _: Noise | None) -> Tensor:
    weight = next(parameters).transpose(1, 2)
    if module.bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(next(parameters).unsqueeze(1), x, weight)


def _drop(module: nn.Dropout, x: Tensor, _: Iterator[Tensor], noise: Noise | None) -> Tensor:
    if x.ndim != 3:
        raise UserError(f"task.model: {module} must stand after Flatten to draw from each run's own generator")
    return x if noise is None else x * noise.keep(x, module.p)


def _to_rows(k: int, x: Tensor) -> Tensor:
    """(B, K·C, H, W) to (K, B, C·H·W), each row in the order that one model's Flatten gives."""
    return x.reshape(x.shape[0], k, -1).transpose(0, 1).contiguous()
