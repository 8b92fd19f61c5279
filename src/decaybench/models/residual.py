"""Residual networks for small images. Each is written for one model; a stack of K models uses the same layers."""

from collections.abc import Callable, Mapping
from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from decaybench.errors import UserError
from decaybench.models.shape import Shape, require

NORMS: Final[Mapping[str, Callable[[int], nn.Module]]] = {
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(max(1, channels // 16), channels),  # of 16 channels, as in Wu & He 2018
    "none": lambda channels: nn.Identity(),
}


def resnet8(shape: Shape, classes: int, norm: str = "batch") -> nn.Module:
    """`resnet20` with one block per stage instead of three: 75,290 parameters for CIFAR-10."""
    return _thin("resnet8", shape, classes, norm, blocks=1)


def resnet20(shape: Shape, classes: int, norm: str = "batch") -> nn.Module:
    """conv 16, then three blocks each of 16, 32 and 64 channels, global average pooling, dense ``classes``: 269,722
    parameters for CIFAR-10.

    A block is conv 3x3, norm, ReLU, conv 3x3, norm, plus its input, ReLU. The first block of the second and third stage
    has stride 2; its shortcut takes every second pixel and pads the channels with zeros (option A). Convolutions have
    no bias and are initialised as in He et al. 2015 (fan-in). ``norm``: "batch", "group" (16 channels per group) or
    "none".

    Source: He et al. 2016, Deep residual learning for image recognition, section 4.2.
    """
    return _thin("resnet20", shape, classes, norm, blocks=3)


def resnet18(shape: Shape, classes: int, norm: str = "batch") -> nn.Module:
    """conv 64, then two blocks each of 64, 128, 256 and 512 channels, global average pooling, dense ``classes``:
    11,173,962 parameters for CIFAR-10.

    He et al.'s network for ImageNet with a stem for small images: a 3x3 convolution without pooling. Blocks are those
    of `resnet20`, but a shortcut that changes shape is a 1x1 convolution with a norm. Initial weights are torch's
    defaults. ``norm`` as in `resnet20`.

    Source: He et al. 2016; the stem is that of kuangliu's pytorch-cifar.
    """
    require("resnet18", shape, least=8)
    layers, channels = [_conv(shape[0], 64, 3), _norm("resnet18", norm)(64), nn.ReLU()], 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for step in (stride, 1):
            layers.append(_Block(channels, width, step, _norm("resnet18", norm), project=True))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet9(shape: Shape, classes: int, norm: str = "batch") -> nn.Module:
    """conv 64; conv 128, pool, residual; conv 256, pool; conv 512, pool, residual; global max pooling, dense
    ``classes`` without bias, times 0.125: 6,573,120 parameters for CIFAR-10.

    Each convolution is 3x3 without bias, followed by a norm and ReLU; a residual is two of them plus their input.
    Initial weights are torch's defaults. ``norm`` as in `resnet20`.

    Source: D. Page, How to train your ResNet (2018), the winner of DAWNBench that airbench began from.
    """
    require("resnet9", shape, least=8)
    made = _norm("resnet9", norm)

    def convolution(inputs: int, outputs: int, *pool: nn.Module) -> list[nn.Module]:
        return [_conv(inputs, outputs, 3), made(outputs), nn.ReLU(), *pool]

    def residual(channels: int) -> nn.Module:
        return _Sum(nn.Sequential(*convolution(channels, channels), *convolution(channels, channels)))

    return nn.Sequential(
        *convolution(shape[0], 64),
        *convolution(64, 128, nn.MaxPool2d(2)),
        residual(128),
        *convolution(128, 256, nn.MaxPool2d(2)),
        *convolution(256, 512, nn.MaxPool2d(2)),
        residual(512),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(512, classes, bias=False),
        _Times(0.125),
    )


def wrn_16_4(shape: Shape, classes: int, norm: str = "batch", dropout: float = 0.0) -> nn.Module:
    """conv 16, then two wide blocks each of 64, 128 and 256 channels, norm, ReLU, global average pooling, dense
    ``classes``: 2,748,890 parameters for CIFAR-10.

    A block is norm, ReLU, conv 3x3, norm, ReLU, dropout, conv 3x3, plus its input; where the shape changes, the
    shortcut is a 1x1 convolution of what follows the first ReLU. Convolutions are initialised as in He et al. 2015
    (fan-out), and the dense layer's bias is 0. ``norm`` as in `resnet20`; ``dropout`` is the share that a block drops.

    Source: Zagoruyko & Komodakis 2016, Wide residual networks.
    """
    require("wrn-16-4", shape, least=4)
    made = _norm("wrn-16-4", norm)
    layers, channels = [_conv(shape[0], 16, 3)], 16
    for width, stride in ((64, 1), (128, 2), (256, 2)):
        for step in (stride, 1):
            layers.append(_WideBlock(channels, width, step, made, dropout))
            channels = width
    head = nn.Linear(channels, classes)
    model = nn.Sequential(*layers, made(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    _kaiming(model, "fan_out")
    nn.init.zeros_(head.bias)
    return model


def _thin(name: str, shape: Shape, classes: int, norm: str, blocks: int) -> nn.Module:
    require(name, shape, least=4)
    layers, channels = [_conv(shape[0], 16, 3), _norm(name, norm)(16), nn.ReLU()], 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for step in (stride, *[1] * (blocks - 1)):
            layers.append(_Block(channels, width, step, _norm(name, norm), project=False))
            channels = width
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
    _kaiming(model, "fan_in")
    return model


class _Block(nn.Module):
    """He et al.'s basic block; a shortcut that changes shape is a projection (``project``) or option A."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, norm: Callable[[int], nn.Module], *, project: bool
    ) -> None:
        super().__init__()
        self.conv1, self.norm1 = _conv(inputs, outputs, 3, stride), norm(outputs)
        self.conv2, self.norm2 = _conv(outputs, outputs, 3), norm(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Sequential(_conv(inputs, outputs, 1, stride), norm(outputs))
            self.shortcut = projection if project else _OptionA(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(out)) + self.shortcut(x))


class _OptionA(nn.Module):
    """Every ``stride``-th pixel, with as many channels of zeros before as after."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, more = stride, outputs - inputs
        self.pad = (0, 0, 0, 0, more // 2, more - more // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], self.pad)


class _WideBlock(nn.Module):
    """Zagoruyko & Komodakis' block: the norms come before the convolutions."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, norm: Callable[[int], nn.Module], dropout: float
    ) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), _conv(inputs, outputs, 3, stride)
        self.norm2, self.conv2 = norm(outputs), _conv(outputs, outputs, 3)
        self.dropout = nn.Dropout(dropout)
        self.project = _conv(inputs, outputs, 1, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.norm1(x))
        out = self.conv2(self.dropout(F.relu(self.norm2(self.conv1(active)))))
        shortcut = x if self.project is None else self.project(active)
        total: Tensor = out + shortcut
        return total


class _Sum(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.inner(x)
        return total


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def _norm(name: str, norm: str) -> Callable[[int], nn.Module]:
    if norm not in NORMS:
        raise UserError(f"task.model {name!r}: norm must be one of {', '.join(NORMS)}, got {norm!r}")
    return NORMS[norm]


def _kaiming(model: nn.Module, fan: str) -> None:
    """Initialise convolutions as in He et al. 2015. Draws from torch's global generator."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode=fan, nonlinearity="relu")  # type: ignore[arg-type]  # a Literal
