"""What people write for residual nets on CIFAR-10. Images are augmented one at a time in a DataLoader's processes.

The nets are written as in akamaster's pytorch_resnet_cifar10 (resnet8, resnet20) and in kuangliu's pytorch-cifar
(resnet18). The transforms do what torchvision's do for a tensor: RandomCrop with padding, RandomHorizontalFlip and
Normalize.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler

WORKERS = 2  # processes of a DataLoader, as in kuangliu's code

Transform = Callable[[Tensor], Tensor]
"""Changes one image (C, H, W)."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: option A, or a 1x1 convolution (``project``)."""

    def __init__(self, in_planes: int, planes: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        self.padded = 0
        if stride != 1 or in_planes != planes:
            if project:
                conv = nn.Conv2d(in_planes, planes, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(planes))
            else:
                self.padded = planes // 4

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.padded:
            out += F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padded, self.padded))
        else:
            out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    """A convolution, stages of blocks, global average pooling and a linear layer."""

    def __init__(self, widths: tuple[int, ...], blocks: int, classes: int, *, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        layers, in_planes = [], widths[0]
        for stage, planes in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(BasicBlock(in_planes, planes, stride, project=project))
                in_planes = planes
        self.layers = nn.Sequential(*layers)
        self.linear = nn.Linear(in_planes, classes)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layers(F.relu(self.bn1(self.conv1(x))))
        out = F.avg_pool2d(out, out.size()[3])
        return self.linear(out.view(out.size(0), -1))


NETS: dict[str, Callable[[int], nn.Module]] = {
    "resnet8": lambda classes: ResNet((16, 32, 64), 1, classes, project=False),
    "resnet20": lambda classes: ResNet((16, 32, 64), 3, classes, project=False),
    "resnet18": lambda classes: ResNet((64, 128, 256, 512), 2, classes, project=True),
}


class Compose:
    def __init__(self, *transforms: Transform) -> None:
        self.transforms = transforms

    def __call__(self, image: Tensor) -> Tensor:
        for transform in self.transforms:
            image = transform(image)
        return image


class RandomCrop:
    def __init__(self, size: int, padding: int) -> None:
        self.size, self.padding = size, padding

    def __call__(self, image: Tensor) -> Tensor:
        image = F.pad(image, [self.padding] * 4)
        _, height, width = image.shape
        i = int(torch.randint(0, height - self.size + 1, size=(1,)).item())
        j = int(torch.randint(0, width - self.size + 1, size=(1,)).item())
        return image[..., i : i + self.size, j : j + self.size]


class RandomHorizontalFlip:
    def __call__(self, image: Tensor) -> Tensor:
        return image.flip(-1) if torch.rand(1) < 0.5 else image


class ToFloat:
    def __call__(self, image: Tensor) -> Tensor:
        return image.to(torch.float32).div(255)


class Normalize:
    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self.mean, self.std = mean.float().view(-1, 1, 1), std.float().view(-1, 1, 1)

    def __call__(self, image: Tensor) -> Tensor:
        return image.clone().sub_(self.mean).div_(self.std)


class Images(Dataset[tuple[Tensor, int]]):
    """uint8 images (N, C, H, W) with their labels, each transformed when it is taken."""

    def __init__(self, images: Tensor, labels: Tensor, transform: Transform) -> None:
        self.images, self.labels, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(self.images[i]), self.labels[i]


def loader(dataset: Images, batch_size: int) -> DataLoader[tuple[Tensor, int]]:
    """A shuffling DataLoader whose processes stay for the next epoch and the next trial."""
    return DataLoader(
        dataset,
        batch_size,
        sampler=RandomSampler(dataset),
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
        multiprocessing_context="spawn",  # a process with threads is better not forked
    )
