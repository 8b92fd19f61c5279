"""K models of one architecture as one computation.

The architecture is written for ONE model, an ``nn.Sequential``; the stack reads its layers and runs them K at a time: a
convolution becomes a grouped one (group = run, channels last), a linear layer a batched matrix product. Parameters of
all K models live in one ``(K, P)`` tensor, in the order of ``model.parameters()``.

On CPU in fp32 these kernels give a run the same bits whatever K and its neighbours are, as long as there are two
groups or more (one group takes another kernel); hence the loop pads a lone run to two.
``tests/training/test_stack.py`` holds them to it.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from decaybench.errors import UserError

Layer = Callable[[Tensor, Iterator[Tensor]], Tensor]
"""One layer over K models: takes the activations and draws its own (K, ...) parameters from the iterator."""


def flatten_parameters(models: Sequence[nn.Module], dtype: torch.dtype) -> Tensor:
    """The parameters of K models of one architecture as one ``(K, P)`` tensor."""
    return torch.stack([torch.cat([p.detach().flatten() for p in m.parameters()]) for m in models]).to(dtype)


def decays(model: nn.Module, *, biases: bool) -> Tensor:
    """``(P,)``: 1 where weight decay applies, 0 where it does not (the biases, when ``biases`` is false)."""
    return torch.cat([torch.full((p.numel(),), float(biases or p.ndim > 1)) for p in model.parameters()])


class Stack:
    """The forward pass of K models at once.

    ``template`` gives the architecture (its own parameter values are not used). Raises ``UserError`` for a layer that
    cannot be stacked.
    """

    def __init__(self, template: nn.Sequential, k: int, compute_dtype: torch.dtype) -> None:
        self.k = k
        self.compute_dtype = compute_dtype
        self._shapes = [tuple(p.shape) for p in template.parameters()]
        self._sizes = [p.numel() for p in template.parameters()]
        self._layers = [_stacked(module, k) for module in template]

    def forward(self, flat: Tensor, images: Tensor) -> Tensor:
        """Logits ``(K, B, classes)`` for parameters ``(K, P)`` and normalised images ``(B, K, C, H, W)``."""
        parts = torch.split(flat, self._sizes, dim=1)  # one split, so that its backward is one concatenation
        parameters = iter(
            [part.view(self.k, *shape).to(self.compute_dtype) for part, shape in zip(parts, self._shapes, strict=True)]
        )
        x = images.to(self.compute_dtype).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self._layers:
            x = layer(x, parameters)
        return x


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, B)``, from logits ``(K, B, C)`` and labels ``(K, B)``.

    bf16 logits are widened first: a loss with eight bits of mantissa is no basis for a loss-reactive learning rate.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    return F.cross_entropy(wide.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)


def _stacked(module: nn.Module, k: int) -> Layer:
    match module:
        case nn.Conv2d(groups=1, padding_mode="zeros"):
            return partial(_conv, module, k)
        case nn.Linear():
            return partial(_linear, module)
        case nn.ReLU() | nn.MaxPool2d():  # act on each channel by itself: the same for K·C channels
            return lambda x, _: module(x)
        case nn.Flatten(start_dim=1, end_dim=-1):
            return lambda x, _: _to_rows(k, x)
    raise UserError(
        "task.model: its layers must be Conv2d (one group, zero padding), Linear, ReLU, MaxPool2d or Flatten, "
        f"got {module}"
    )


def _conv(module: nn.Conv2d, k: int, x: Tensor, parameters: Iterator[Tensor]) -> Tensor:
    weight = next(parameters).flatten(0, 1)
    bias = next(parameters).flatten() if module.bias is not None else None
    return F.conv2d(x, weight, bias, module.stride, module.padding, module.dilation, groups=k)


def _linear(module: nn.Linear, x: Tensor, parameters: Iterator[Tensor]) -> Tensor:
    weight = next(parameters).transpose(1, 2)
    if module.bias is None:
        return torch.bmm(x, weight)
    return torch.baddbmm(next(parameters).unsqueeze(1), x, weight)


def _to_rows(k: int, x: Tensor) -> Tensor:
    """(B, K·C, H, W) to (K, B, C·H·W), each row in the order that one model's Flatten gives."""
    return x.reshape(x.shape[0], k, -1).transpose(0, 1).contiguous()
