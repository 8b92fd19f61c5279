"""Every module of a small grammar: what check accepts has its own bits, and nothing that is right is refused."""

import random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from training.judged import assert_own_bits, refused
from training.own_models import Own

pytestmark = pytest.mark.filterwarnings("ignore")  # a module's own

# A grammar of modules: layers of 64 features in a row, each as it is, or with what makes it right or wrong for a stack.
LAYERS = {
    "linear": lambda: nn.Linear(64, 64),
    "norm": lambda: nn.LayerNorm(64),
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 1, 3, padding=1), nn.Flatten()),
    "group norm": lambda: nn.Sequential(nn.Unflatten(1, (4, 4, 4)), nn.GroupNorm(2, 4), nn.Flatten()),
    "gelu": nn.GELU,
    "relu in place": lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU(inplace=True)),
    "dropout": lambda: nn.Dropout(0.1),
    "no dropout": lambda: nn.Dropout(0.0),
    "batch norm": lambda: nn.BatchNorm1d(64),
    "batch mean": lambda: Own(lambda self, x: x - x.mean(0)),
    "evaluated otherwise": lambda: Own(lambda self, x: x if self.training else x * 1.5),
    "counter": lambda: Own(counted, n=0),
    "running mean": lambda: Own(centred, mean=torch.zeros(64)),
    "first batch": lambda: Own(fitted, scale=None),
    "python's random": lambda: Own(lambda self, x: x * (1 + random.random())),
    "a fixed buffer": lambda: Own(lambda self, x: x * self.gain, gain=torch.linspace(0.5, 1.5, 64)),
    "a gate": lambda: Own(lambda self, x: x + self.gate * x.tanh(), gate=nn.Parameter(torch.zeros(1))),
    "a gate in a lambda": lambda: reaching(nn.Parameter(torch.zeros(1))),
    "a slope in a hook": lambda: hooked(nn.LeakyReLU(0.1), nn.Parameter(torch.ones(1))),
    "a mean outside": lambda: Own(centred_outside),
    "a drawn buffer": lambda: Own(lambda self, x: x * self.gain, gain=torch.rand(64)),
}


def counted(self, x):
    self.n += 1
    return x * (1 + 0.1 * self.n)


def centred(self, x):
    self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
    return x - self.mean


def reaching(gate):
    layer = Own(lambda self, x: self.act(x), gate=gate)
    layer.act = lambda x: x + layer.gate * x.tanh()
    return layer


def hooked(layer, slope):
    layer.slope = slope
    layer.register_forward_hook(lambda module, given, out: out * layer.slope)
    return layer


OUTSIDE = {}


def centred_outside(self, x):
    """Written in training, read in evaluation, and no part of any module."""
    if self.training:
        OUTSIDE["mean"] = x.detach().mean()
        return x
    return x - OUTSIDE.get("mean", 0.0)


def fitted(self, x):
    self.scale = x.detach().std() if self.scale is None else self.scale
    return x / self.scale


RIGHT = {
    "linear",
    "norm",
    "convolution",
    "group norm",
    "gelu",
    "relu in place",
    "no dropout",
    "evaluated otherwise",
    "a fixed buffer",
    "a gate",
}


@st.composite
def nets(draw):
    """Names of layers, how each is held (plain, residual, used twice, hooked), and whether the net is a Sequential."""
    layers = draw(st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=4))
    ways = [draw(st.sampled_from(["plain", "residual", "twice", "hooked"])) for _ in layers]
    return list(zip(layers, ways, strict=True)), draw(st.booleans())


def grown(layers, sequential):
    parts = []
    for name, way in layers:
        layer = LAYERS[name]()
        if way == "residual":
            layer = Own(lambda self, x: x + self.inner(x.clone()), inner=layer)
        elif way == "hooked":
            layer.register_forward_hook(lambda module, given, out: out * 0.9)
        parts += [layer, layer] if way == "twice" else [layer]
    net = nn.Sequential(nn.Flatten(), *parts, nn.Linear(64, 10))
    return net if sequential else Own(lambda self, x: self.net(x), net=net)


@given(nets())
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_check_accepts_has_its_own_bits_and_nothing_that_is_right_is_refused(own, few, net):
    layers, sequential = net
    own(lambda shape, classes: grown(layers, sequential))
    names = {name for name, _ in layers}
    # Dropout and batch norm are right where every layer is one that is run K-wide.
    wide = all(way != "hooked" for _, way in layers)
    right = names <= RIGHT or (wide and names <= (RIGHT - {"a fixed buffer", "a gate"}) | {"dropout", "batch norm"})
    said = refused("fp32")
    assert (said is None) is right, said
    if right:
        assert_own_bits(few)
