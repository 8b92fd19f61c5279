"""A model of one's own is trained as it is alone, or one line says why not."""

import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from decaybench import models
from decaybench.data import draw_splits, load_dataset, prepare
from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run, check_builder, check_model, train
from decaybench.training.stack import Stack, flatten_parameters
from reference import plain_loop
from training.own_models import ROWS, Own

SHAPE, CLASSES = (1, 8, 8), 10
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    """A few examples of each split."""
    dataset = load_dataset("digits", None)
    data = prepare(dataset, draw_splits(dataset, 0))

    def first(examples, n):
        return replace(examples, images=examples.images[:n], labels=examples.labels[:n])

    return replace(data, train=first(data.train, 20), validation=first(data.validation, 6), test=first(data.test, 6))


@pytest.fixture(autouse=True)
def _warnings_are_a_modules_own():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def own(monkeypatch):
    """Make a builder the model ``own``."""
    return lambda builder: monkeypatch.setitem(models.MODELS._built_in, "own", builder)


def judge(precision="fp64"):
    template, *siblings = check_builder(lambda seed: models.build("own", SHAPE, CLASSES, seed))
    check_model(template, SHAPE, CLASSES, siblings=siblings, precision=precision)


def refused(precision):
    """What the one line says, if there is one."""
    try:
        judge(precision)
    except UserError as refusal:
        return str(refusal)
    return None


def generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


def runs(*seeds):
    return [Run(seed, SCHEDULES["constant"](), 0.02, 0.5, 0.0) for seed in seeds]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_model_is_trained_as_alone_or_refused_in_one_line(row, own, digits):
    own(row.build)
    before = generators()
    said = refused("fp64")
    assert generators() == before
    if row.says is not None:
        assert said is not None and said.startswith("task.model") and "\n" not in said
        assert any(part in said for part in row.says.split("|")), said
        return
    assert said is None
    recipe = Recipe("own", epochs=2, batch_size=10, precision="fp64")
    curves = []
    results = train(recipe, runs(0, 1, 2), digits, device=CPU, read_test=True, on_epoch=curves.append)
    for i, run in enumerate(runs(0, 1, 2)):
        plain = plain_loop(recipe, run, digits)
        tolerance = 1e-5 if row.name.startswith("in_single_precision") else 1e-10
        np.testing.assert_allclose([c.train_loss[i] for c in curves], plain.train_loss, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            [c.validation_loss[i] for c in curves], plain.validation_loss, rtol=0, atol=tolerance
        )
        np.testing.assert_allclose(results[i].test_loss, plain.test_loss, rtol=0, atol=tolerance)
    assert_own_bits(digits)


def assert_own_bits(data):
    """In fp32 a run has the same bits alone, beside others, in another place and in parts of another width."""
    recipe = Recipe("own", epochs=2, batch_size=10)

    def losses(width, *seeds):
        curves = []
        train(recipe, runs(*seeds), data, device=CPU, width=width, on_epoch=curves.append)
        place = seeds.index(1)
        return [(float(c.train_loss[place]), float(c.validation_loss[place])) for c in curves]

    alone = losses(1, 1)
    assert len(alone) == 2
    assert losses(3, 0, 1, 2) == losses(2, 5, 4, 0, 3, 1) == alone


@pytest.mark.parametrize(
    ("name", "precision", "says"),
    [
        ("in_single_precision_by_force", "fp32", None),
        ("in_single_precision_by_force", "bf16", "cannot be trained in bf16: RuntimeError: mat1 and mat2"),
        ("group_and_layer_norm", "bf16", None),
        ("a_complex_buffer", "fp32", None),
        ("a_complex_buffer", "bf16", "cannot be trained in bf16: RuntimeError: Unsupported dtype BFloat16"),
        ("a_state_that_is_no_buffer", "bf16", "changes the attribute state in training"),
    ],
)
def test_a_model_is_tried_in_the_sweeps_precision(name, precision, says, own):
    own(next(row.build for row in ROWS if row.name == name))
    said = refused(precision)
    assert said is None if says is None else says in said, said


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp64"])
@pytest.mark.parametrize(
    ("name", "shape", "dropout"), [("small-cnn", (3, 8, 8), 0), ("lenet", (1, 28, 28), 0.5), ("3c3d", (3, 9, 9), 0)]
)
def test_models_of_the_package_pass(name, shape, dropout, precision):
    template, *siblings = check_builder(lambda seed: models.build(name, shape, CLASSES, seed, dropout))
    check_model(template, shape, CLASSES, siblings=siblings, precision=precision)


def test_a_model_is_left_as_it_was():
    net = Own(lambda self, x: self.head(x.flatten(1) * self.gain), head=nn.Linear(64, 10), gain=torch.ones(64))
    net.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    check_model(net, SHAPE, CLASSES)
    assert not net.training and net.gain.dtype == torch.float32
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.head.weight.grad is None and isinstance(net.head.weight, nn.Parameter)


def test_the_table_is_of_60_models_and_more():
    assert len({row.name for row in ROWS}) == len(ROWS) > 60


# A grammar of modules: layers of 64 features in a row, each as it is, or with what makes it right or wrong for a stack.
LAYERS = {
    "linear": lambda: nn.Linear(64, 64),
    "norm": lambda: nn.LayerNorm(64),
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 1, 3, padding=1), nn.Flatten()),
    "group norm": lambda: nn.Sequential(nn.Unflatten(1, (4, 4, 4)), nn.GroupNorm(2, 4), nn.Flatten()),
    "gelu": nn.GELU,
    "relu in place": lambda: nn.ReLU(inplace=True),
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
    "a drawn buffer": lambda: Own(lambda self, x: x * self.gain, gain=torch.rand(64)),
}


def counted(self, x):
    self.n += 1
    return x * (1 + 0.1 * self.n)


def centred(self, x):
    self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
    return x - self.mean


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
def test_what_check_accepts_has_its_own_bits_and_nothing_that_is_right_is_refused(own, digits, net):
    layers, sequential = net
    own(lambda shape, classes: grown(layers, sequential))
    names = {name for name, _ in layers}
    # Dropout is right where every layer of a plain Sequential is one that is run K-wide.
    wide = sequential and all(way in ("plain", "twice") for _, way in layers)
    right = names <= RIGHT or (wide and names <= {"linear", "relu in place", "no dropout", "dropout"})
    said = refused("fp32")
    assert (said is None) is right, said
    if right:
        assert_own_bits(digits)


@pytest.mark.parametrize(
    "name", ["of_functions", "attention", "tied_biases_in_a_module", "old_weight_norm", "in_place"]
)
def test_vectorised_it_has_the_numbers_of_one_run_after_the_other(name, own):
    own(next(row.build for row in ROWS if row.name == name))
    nets = [models.build("own", SHAPE, CLASSES, seed) for seed in range(3)]
    images = torch.randn(4, 3, *SHAPE, dtype=torch.float64)
    results = []
    for vectorised in (False, True):
        flat = flatten_parameters(nets, torch.float64).requires_grad_()
        logits = Stack(nets[0], 3, torch.float64, vectorised=vectorised).forward(flat, images, training=True)
        logits.square().sum().backward()
        results.append((logits.detach(), flat.grad))
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)
