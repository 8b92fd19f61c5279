"""CIFAR's residual networks as people write them, trained in a stack and by the plain loop."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from decaybench.data import Examples, TaskData
from decaybench.schedules import SCHEDULES
from decaybench.training import OptimizerForm, Recipe, Run, train
from decaybench.training.lanes import Lanes
from decaybench.training.layers import Architecture
from reference import plain_loop

CPU = torch.device("cpu")


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, in_planes, planes, stride=1, option="B"):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            if option == "A":
                self.shortcut = Shortcut(
                    lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4), "constant", 0)
                )
            else:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(in_planes, planes, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(planes)
                )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


class Shortcut(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class ResNet18(nn.Module):
    """In the style of kuangliu's pytorch-cifar: four stages, projections, a last pooling of 4x4."""

    def __init__(self, planes=64, classes=10):
        super().__init__()
        self.in_planes = planes
        self.conv1 = nn.Conv2d(3, planes, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.layer1 = self._make_layer(planes, 2, stride=1)
        self.layer2 = self._make_layer(2 * planes, 2, stride=2)
        self.layer3 = self._make_layer(4 * planes, 2, stride=2)
        self.layer4 = self._make_layer(8 * planes, 2, stride=2)
        self.linear = nn.Linear(8 * planes, classes)

    def _make_layer(self, planes, blocks, stride):
        layers = []
        for step in [stride] + [1] * (blocks - 1):
            layers.append(BasicBlock(self.in_planes, planes, step))
            self.in_planes = planes
        return nn.Sequential(*layers)

    def forward(self, x):
        assert x.shape[1] == 3, f"expected RGB images, got {x.shape}"
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer1(out)
        out = self.layer2(out)
        out = self.layer3(out)
        out = self.layer4(out)
        out = F.avg_pool2d(out, 4)
        out = out.view(out.size(0), -1)
        return self.linear(out)


class ResNet20(nn.Module):
    """In the style of akamaster's pytorch_resnet_cifar10: three stages, shortcuts of option A, global pooling."""

    def __init__(self, blocks=3, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, kernel_size=3, stride=1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages, planes = [], 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            for step in [stride] + [1] * (blocks - 1):
                stages.append(BasicBlock(planes, width, step, option="A"))
                planes = width
        self.layers = nn.ModuleList(stages)
        self.linear = nn.Linear(64, classes)
        self.apply(self._weights_init)

    @staticmethod
    def _weights_init(m):
        if isinstance(m, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(m.weight)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        for layer in self.layers:
            out = layer(out)
        out = F.avg_pool2d(out, out.size()[3])
        out = out.view(out.size(0), -1)
        return self.linear(out)


def images(n, size=32):
    drawn = torch.Generator().manual_seed(0)

    def examples(n):
        pixels = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=drawn)
        return Examples(pixels, torch.randint(0, 10, (n,), generator=drawn))

    half = torch.full((3,), 0.5, dtype=torch.float64)
    return TaskData(examples(n), examples(6), None, examples(6), half, half / 2, 10)


def two(rate):
    return [
        Run(0, SCHEDULES["cosine"](floor=0.0), rate, 0.9, 5e-4),
        Run(1, SCHEDULES["constant"](), rate, 0.0, 0.0),
    ]


CASES = {
    "resnet18 of 8 planes": (partial(ResNet18, 8), 4, 4),
    "resnet20 of one block": (partial(ResNet20, 1), 4, 4),
}
SOAKED = {
    "resnet18": (ResNet18, 20, 4),
    "resnet18 of 8 planes": (partial(ResNet18, 8), 200, 4),
    "resnet20": (ResNet20, 50, 4),
}


@pytest.mark.parametrize(
    "case",
    [*CASES.values(), *(pytest.param(case, marks=pytest.mark.soak) for case in SOAKED.values())],
    ids=[*CASES, *(f"{name} at length" for name in SOAKED)],
)
def test_a_residual_network_equals_the_plain_loop(case, own, monkeypatch):
    build, updates, batch = case
    own(lambda shape, classes: build(classes=classes))
    kept = keeping(monkeypatch)
    data = images(updates * batch // 2)
    recipe = Recipe("own", 2, batch, OptimizerForm(nesterov=False), precision="fp64")
    results = train(recipe, two(0.01), data, device=CPU, read_test=True)
    architecture = Architecture(build(), (3, 32, 32))
    assert architecture.wide is not None
    for run, result, lane in zip(two(0.01), results, kept(), strict=True):
        plain = plain_loop(recipe, run, data)
        np.testing.assert_allclose(result.test["loss"], plain.test_loss, rtol=0, atol=1e-10)
        np.testing.assert_allclose(result.validation["loss"], plain.validation_loss[-1], rtol=0, atol=1e-10)
        torch.testing.assert_close(lane["parameters"], plain.parameters, rtol=0, atol=1e-10)
        floats = [buffer.flatten() for buffer in plain.buffers.values() if buffer.is_floating_point()]
        torch.testing.assert_close(lane["buffers"], torch.cat(floats), rtol=0, atol=1e-10)


def keeping(monkeypatch):
    """Keeps the lanes of a training: a function of none that gives what each carries."""
    made = []
    before = Lanes.__init__

    def init(self, *given, **named):
        before(self, *given, **named)
        made.append(self)

    monkeypatch.setattr(Lanes, "__init__", init)
    return lambda: [{name: tensor[i] for name, tensor in made[0].carried.items()} for i in range(len(made[0]))]
