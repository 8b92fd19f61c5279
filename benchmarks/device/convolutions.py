"""Other ways to compute the convolutions of K models: which is fastest, forward and backward, for each layer?"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.device.setting import CLASSES, Measurement, Setting
from decaybench import models
from decaybench.training.arithmetic import exact_arithmetic
from decaybench.training.graph import Recorded

K, STREAMS, REPETITIONS = 16, 8, 5
LAST = torch.channels_last


class Layer(NamedTuple):
    """A convolution without a bias: channels, the side of its input, kernel, stride and padding."""

    inputs: int
    outputs: int
    side: int
    kernel: int
    stride: int
    padding: int

    def __str__(self) -> str:
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return f"{self.kernel}x{self.kernel}, {self.inputs} to {self.outputs}, {self.side}x{self.side} pixels{stride}"


Way = Callable[[Layer, Tensor, Tensor], tuple[Callable[[], Tensor], list[Tensor]]]
"""From x (K, B, C, H, W) and weights (K, O, C, k, k): the forward pass, and the tensors that need a gradient."""


def convolutions(setting: Setting) -> Iterator[Measurement]:
    """Each different convolution of the nets, recorded as CUDA graphs like the updates of a training.

    The first layer's time includes a gradient of the images, which training does not need.
    """
    for net in ("resnet8",) if setting.quick else ("resnet20", "resnet9"):
        for layer, times in layers_of(net).items():
            for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
                labels = {"net": net, "layer": f"{layer} ({times} of them)", "precision": precision}
                yield labels, partial(_compare, setting, layer, dtype)


def layers_of(net: str) -> Counter[Layer]:
    """The convolutions of a net for images of 3x32x32, and how often it has each."""
    found: Counter[Layer] = Counter()

    def note(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        assert isinstance(module, nn.Conv2d) and isinstance(module.padding[0], int)
        one = module.kernel_size[0], module.stride[0], module.padding[0]
        found[Layer(module.in_channels, module.out_channels, given[0].shape[-1], *one)] += 1

    model = models.build(net, (3, 32, 32), CLASSES, 0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with torch.no_grad():
        model(torch.zeros(2, 3, 32, 32))
    return found


def grouped(
    layer: Layer, x: Tensor, weights: Tensor, *, last: bool = True
) -> tuple[Callable[[], Tensor], list[Tensor]]:
    """One convolution with a group per model, in channels last, as decaybench does it, or in torch's default."""
    k, batch = x.shape[:2]
    given = x.transpose(0, 1).reshape(batch, k * layer.inputs, layer.side, layer.side).clone()
    given = given.contiguous(memory_format=LAST if last else torch.contiguous_format)
    leaves = _leaves(given, weights.flatten(0, 1))
    return lambda: F.conv2d(*leaves, None, layer.stride, layer.padding, 1, k), leaves


def mapped(layer: Layer, x: Tensor, weights: Tensor) -> tuple[Callable[[], Tensor], list[Tensor]]:
    """torch.func.vmap over a convolution."""
    leaves = _leaves(x, weights)
    one = partial(F.conv2d, stride=layer.stride, padding=layer.padding)
    return lambda: torch.func.vmap(one)(*leaves), leaves


def looped(layer: Layer, x: Tensor, weights: Tensor, *, streams: int = 0) -> tuple[Callable[[], Tensor], list[Tensor]]:
    """A convolution per model, in channels last, one after another or on several CUDA streams."""
    each = (tensor.contiguous(memory_format=LAST) for pair in zip(x, weights, strict=True) for tensor in pair)
    leaves = _leaves(*each)
    pairs = list(zip(leaves[::2], leaves[1::2], strict=True))
    sides = [torch.cuda.Stream() for _ in range(streams)]  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def forward() -> Tensor:
        if not sides:
            return torch.stack([F.conv2d(a, w, None, layer.stride, layer.padding) for a, w in pairs])
        here, made = torch.cuda.current_stream(), []
        for side in sides:
            side.wait_stream(here)
        for i, (a, w) in enumerate(pairs):
            with torch.cuda.stream(sides[i % len(sides)]):  # its backward pass runs there too
                made.append(F.conv2d(a, w, None, layer.stride, layer.padding))
        for side in sides:
            here.wait_stream(side)
        return torch.stack(made)

    return forward, leaves


def unfolded(layer: Layer, x: Tensor, weights: Tensor) -> tuple[Callable[[], Tensor], list[Tensor]]:
    """A batched matrix product of the weights with patches of the images."""
    k, batch = x.shape[:2]
    leaves = _leaves(x, weights)

    def forward() -> Tensor:
        images, kernels = leaves
        patches = F.unfold(images.flatten(0, 1), layer.kernel, padding=layer.padding, stride=layer.stride)
        rows = patches.view(k, batch, *patches.shape[1:]).transpose(1, 2).flatten(2)  # (K, C·k·k, B·pixels)
        return kernels.flatten(2) @ rows

    return forward, leaves


def ways(setting: Setting) -> Mapping[str, Way]:
    """All ways, by name; decaybench's first."""
    found: dict[str, Way] = {
        "grouped": grouped,
        "grouped, not channels last": partial(grouped, last=False),
        "vmap": mapped,
        "loop": looped,
        "patches and bmm": unfolded,
    }
    return {**found, f"{STREAMS} streams": partial(looped, streams=STREAMS)} if setting.cuda else found


def milliseconds(setting: Setting, forward: Callable[[], Tensor], leaves: list[Tensor]) -> float:
    """The time of a forward and a backward pass to the ``leaves``."""

    def both() -> None:
        made = forward()
        torch.autograd.grad(made, leaves, torch.ones_like(made))

    recorded = Recorded(record=setting.cuda, pool=torch.cuda.graph_pool_handle() if setting.cuda else None)
    repeated = partial(recorded, both)
    for _ in range(2):  # warms up, then records
        repeated()
    return 1e3 * min(setting.seconds(repeated, 1 if setting.quick else REPETITIONS) for _ in range(2))


def _compare(setting: Setting, layer: Layer, dtype: torch.dtype) -> Mapping[str, object]:
    k, batch = (2, 2) if setting.quick else (K, setting.batch("resnet20"))
    x, weights = random_layer(layer, k, batch, device=setting.device, dtype=dtype)
    found: dict[str, object] = {}
    with exact_arithmetic():
        for name, way in ways(setting).items():
            try:
                found[f"{name}, ms"] = round(milliseconds(setting, *way(layer, x, weights)), 3)
            except RuntimeError as error:  # out of memory, or no kernel for this
                found[f"{name}, ms"] = str(error).partition("\n")[0][:80]
    return found


def random_layer(
    layer: Layer, k: int, batch: int, *, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Images x (K, B, C, H, W) and weights (K, O, C, k, k)."""
    x = torch.randn(k, batch, layer.inputs, layer.side, layer.side, device=device, dtype=dtype)
    weights = torch.randn(k, layer.outputs, layer.inputs, layer.kernel, layer.kernel, device=device, dtype=dtype)
    return x, weights


def _leaves(*tensors: Tensor) -> list[Tensor]:
    return [tensor.detach().clone().requires_grad_() for tensor in tensors]
