"""Models as people bring them, for images (1, 8, 8) and 10 classes: which are trained as they are, and what is said of
the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.fx
import torch.nn.utils.prune
from torch import nn


class Own(nn.Module):
    """A module of these parts and this forward."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.does = forward
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x):
        return self.does(self, x)


@dataclass(frozen=True)
class Row:
    """A builder, and what the one line says of its model; None where it is trained."""

    name: str
    build: Callable
    says: str | None = None


ROWS: list[Row] = []


def row(says=None, name=None):
    """Decorates a function that makes the module."""

    def add(make):
        ROWS.append(Row(name or make.__name__, lambda shape, classes: make(), says))
        return make

    return add


def head(inputs=64):
    return nn.Linear(inputs, 10)


def mlp(*between):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), *between, nn.ReLU(), head(16))


def recurrent(kind, **options):
    def forward(self, x):
        return self.head(self.cells(x.squeeze(1))[0][:, -1])

    return Own(forward, cells=kind(8, 12, batch_first=True, **options), head=head(12))


def encoder(dropout):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=dropout, batch_first=True)
    return Own(lambda self, x: self.head(self.layer(x.squeeze(1)).flatten(1)), layer=layer, head=head())
