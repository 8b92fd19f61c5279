"""Builders."""

import random
import sys

import numpy as np
import torch
import torch.fx
import torch.nn.utils.prune
from torch import nn

from training.own_models.rows import ROWS, Own, Row, head, mlp, row


def builder(name, build, says=None):
    ROWS.append(Row(name, build, says))


builder("a_builder_without_arguments", lambda: mlp(), "TypeError")
builder("a_builder_of_one_argument", lambda classes: mlp(), "got TypeError")
builder(
    "a_builder_that_raises", lambda shape, classes: 1 // 0, "got ZeroDivisionError: integer division or modulo by zero"
)
builder("a_builder_that_leaves", lambda shape, classes: sys.exit("no GPU"), "got SystemExit: no GPU")
builder("a_builder_of_a_class", lambda shape, classes: nn.Linear, "must build an nn.Module, got type")
builder("a_builder_of_nothing", lambda shape, classes: None, "must build an nn.Module, got NoneType")
builder("a_builder_that_is_no_function", 3, "must be a function that builds an nn.Module, got 3")
builder("a_builder_on_a_gpu", lambda shape, classes: mlp().to("cuda"), "got |must be built on the CPU")
builder("a_module_for_a_builder", mlp(), "got TypeError")
_once = mlp()
builder("one_module_for_all", lambda shape, classes: _once, "must be built anew for each run")


@row()
def weights_by_numpy():
    net = mlp()
    net[1].weight.data = torch.from_numpy(np.random.randn(16, 64).astype(np.float32) / 8)
    net[3].bias.data.fill_(random.random())
    return net


@row("must have the same initial weights each time it is built for a seed, got different ones for 1.bias")
def weights_from_nowhere():
    net = mlp()
    net[1].bias.data = torch.from_numpy(np.random.default_rng().normal(size=16)).float()
    return net


@row("must have the same parameters for every seed")
def a_width_that_is_drawn():
    width = int(torch.randint(8, 1000, ()))
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), head(width))


@row("makes other calls for another seed in training")
def an_activation_that_is_drawn():
    activation = torch.tanh if torch.rand(()) < 0.5 else torch.sigmoid
    return Own(
        lambda self, x: self.head(activation(self.hidden(x.flatten(1)))), hidden=nn.Linear(64, 16), head=head(16)
    )


def _raise():
    from training.own_models.odd import UnspeakableError

    raise UnspeakableError


builder("a_builder_that_raises_what_cannot_be_written", lambda shape, classes: _raise(), "got UnspeakableError")
_built = []


def _grown():
    _built.append(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16 + len(_built)), nn.ReLU(), head(16 + len(_built)))


builder(
    "a_builder_that_grows",
    lambda shape, classes: _grown(),
    "must have the same parameters each time it is built for a seed, got another shape for 1.weight",
)


@row()
def built_in_double_precision():
    torch.set_default_dtype(torch.float64)
    return mlp()
