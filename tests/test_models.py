"""The CNNs: shapes, parameter counts, an init drawn from the seed alone."""

import random
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from decaybench import models
from decaybench.errors import UserError
from decaybench.models import MODELS, Model, build

COUNTS = [
    # conv 1, conv 2, hidden, output: weights and biases
    ("small-cnn", (1, 8, 8), 10, (9 + 1) * 16 + (9 * 16 + 1) * 32 + (32 * 4 + 1) * 64 + 65 * 10),
    ("small-cnn", (3, 32, 32), 10, (27 + 1) * 16 + (9 * 16 + 1) * 32 + (32 * 64 + 1) * 64 + 65 * 10),
    ("lenet", (1, 28, 28), 10, (25 + 1) * 20 + (25 * 20 + 1) * 40 + (40 * 16 + 1) * 100 + 101 * 10),
    ("lenet", (3, 32, 32), 7, (75 + 1) * 20 + (25 * 20 + 1) * 40 + (40 * 25 + 1) * 100 + 101 * 7),
    # as their sources give them, and as their docstrings say
    ("2c2d", (1, 28, 28), 10, 3_274_634),
    ("all-cnn-c", (3, 32, 32), 10, 1_369_738),
    ("resnet8", (3, 32, 32), 10, 75_290),
    ("resnet20", (3, 32, 32), 10, 269_722),
    ("resnet18", (3, 32, 32), 10, 11_173_962),
    ("resnet9", (3, 32, 32), 10, 6_573_120),
    ("wrn-16-4", (3, 32, 32), 10, 2_748_890),
]


@pytest.mark.parametrize(("name", "shape", "classes", "count"), COUNTS)
def test_shapes_and_parameter_counts(name, shape, classes, count):
    model = build(name, shape, classes, seed=0)
    assert sum(p.numel() for p in model.parameters()) == count
    assert model(torch.zeros(5, *shape)).shape == (5, classes)


@pytest.mark.parametrize("name", sorted(MODELS._built_in))
def test_images_need_not_be_square_or_even(name):
    assert build(name, (1, 17, 23), 3, seed=0)(torch.zeros(2, 1, 17, 23)).shape == (2, 3)


@pytest.mark.parametrize("name", ["small-cnn", "lenet"])
def test_the_layers_are_those_a_stack_reads(name):
    kinds = [type(layer).__name__ for layer in build(name, (1, 28, 28), 10, seed=0)]
    half = ["Conv2d", "ReLU", "MaxPool2d"]
    assert kinds == [*half, *half, "Flatten", "Linear", "ReLU", "Linear"]


def test_resnet20_is_the_sources():
    """Its first stage keeps the shape; the shortcuts of the others halve the sides and pad the channels with zeros."""
    model = build("resnet20", (3, 32, 32), 10, seed=0).eval()
    blocks = [layer for layer in model if hasattr(layer, "shortcut")]
    assert len(blocks) == 9
    x = torch.randn(2, 16, 32, 32)
    assert torch.equal(blocks[0].shortcut(x), x)
    shortened = blocks[3].shortcut(x)
    assert torch.equal(shortened[:, 8:24], x[:, :, ::2, ::2])
    assert shortened[:, :8].abs().max() == shortened[:, 24:].abs().max() == 0
    assert not any(module.bias is not None for module in model.modules() if isinstance(module, torch.nn.Conv2d))


@pytest.mark.parametrize("name", ["resnet8", "resnet9", "resnet18", "resnet20", "wrn-16-4"])
@pytest.mark.parametrize(("norm", "kind"), [("batch", "BatchNorm2d"), ("group", "GroupNorm"), ("none", "Identity")])
def test_norms(name, norm, kind):
    model = build(Model(name, (("norm", norm),)), (1, 8, 8), 10, seed=0)
    kinds = {type(module).__name__ for module in model.modules()}
    assert kind in kinds and not {"BatchNorm2d", "GroupNorm"} - {kind} & kinds
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(
    ("model", "dropout", "says"),
    [
        (
            Model("resnet8", (("nrom", "group"),)),
            0.0,
            "task.model.nrom: model 'resnet8' has no such option; it has norm",
        ),
        (Model("small-cnn", (("norm", "group"),)), 0.0, "task.model.norm: model 'small-cnn' has no such option"),
        (
            Model("resnet8", (("norm", "x"),)),
            0.0,
            "task.model 'resnet8': norm must be one of batch, group, none, got 'x'",
        ),
        (Model("lenet", (("dropout", 0.5),)), 0.1, "task.dropout: is also set in task.model, got 0.1"),
        ("resnet8", 0.1, "task.dropout must be 0 for model 'resnet8', which has no dropout, got 0.1"),
    ],
)
def test_options_that_a_model_does_not_have(model, dropout, says):
    with pytest.raises(UserError) as caught:
        build(model, (1, 16, 16), 10, seed=0, dropout=dropout)
    assert str(caught.value) == says


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_init_comes_from_the_seed_alone():
    torch.manual_seed(1)
    first = parameters(build("small-cnn", (1, 8, 8), 10, seed=5))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(parameters(build("small-cnn", (1, 8, 8), 10, seed=5)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(parameters(build("small-cnn", (1, 8, 8), 10, seed=6)), first)


def test_init_is_torchs_default():
    layer = build("small-cnn", (1, 8, 8), 10, seed=0)[7]
    bound = layer.in_features**-0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound


def test_a_model_is_built_on_the_cpu_whatever_the_default_device():
    with torch.device("meta"):
        assert next(build("small-cnn", (1, 8, 8), 10, seed=0).parameters()).device.type == "cpu"


def test_an_unknown_model():
    with pytest.raises(UserError) as caught:
        build("x", (1, 8, 8), 10, seed=0)
    assert str(caught.value) == f"task.model must be one of {', '.join(MODELS)}, got 'x'"


@pytest.mark.parametrize(("name", "least"), [("small-cnn", 4), ("lenet", 16)])
def test_images_that_are_too_small(name, least):
    assert build(name, (1, least, least), 2, seed=0)(torch.zeros(1, 1, least, least)).shape == (1, 2)
    with pytest.raises(UserError) as caught:
        build(name, (1, least - 1, 30), 2, seed=0)
    assert str(caught.value) == (
        f"task.model '{name}' needs images of at least {least}x{least} pixels, got 30x{least - 1}"
    )


def test_models_are_listed():
    assert list(MODELS) == sorted(MODELS._built_in) and len(MODELS) == 10
    assert "lenet" in MODELS and "x" not in MODELS


def test_a_model_of_another_package(monkeypatch):
    loads = []

    class Linear:
        def load(self):
            loads.append(1)
            return lambda shape, classes: torch.nn.Sequential(
                torch.nn.Flatten(), torch.nn.Linear(shape[1] * shape[2], classes)
            )

    class Found(list):
        names = frozenset({"linear"})

    def entry_points(*, group, name="linear"):
        assert group == "decaybench.models"
        return Found([Linear()] if name == "linear" else [])

    monkeypatch.setattr(models.registry, "entry_points", entry_points)
    assert list(MODELS) == sorted([*MODELS._built_in, "linear"]) and not loads
    assert torch.equal(*(parameters(build("linear", (1, 8, 8), 10, seed=3)) for _ in range(2)))


@pytest.mark.parametrize(("shape", "side"), [((3, 32, 32), 3), ((1, 28, 28), 3), ((1, 9, 9), 1), ((3, 33, 20), None)])
def test_3c3d_is_deepobs(shape, side):
    """895,210 parameters on CIFAR-10; its pools give ceil(side / 2), as TensorFlow's "same" does."""
    model = build("3c3d", shape, 10, seed=0)
    assert model(torch.zeros(2, *shape)).shape == (2, 10)
    if shape == (3, 32, 32):
        assert sum(p.numel() for p in model.parameters()) == 895_210
    if side is not None:
        assert model[10].in_features == 128 * side * side
    assert all(not p.any() for p in model.parameters() if p.ndim == 1)  # biases begin at 0


def test_dropout_is_lenets_alone():
    lenet = build("lenet", (1, 28, 28), 10, seed=0, dropout=0.3)
    assert [layer.p for layer in lenet if isinstance(layer, torch.nn.Dropout)] == [0.3, 0.3]
    plain = build("lenet", (1, 28, 28), 10, seed=0)
    for a, b in zip(lenet.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(UserError, match=r"task.dropout must be 0 for model 'small-cnn', which has no dropout, got 0.3"):
        build("small-cnn", (1, 8, 8), 10, seed=0, dropout=0.3)


def provide(monkeypatch, builder):
    monkeypatch.setitem(models.MODELS._built_in, "own", builder)


def test_a_builder_may_draw_from_any_global_generator(monkeypatch):
    provide(monkeypatch, lambda shape, classes: filled(random.random(), np.random.rand(), torch.rand(())))
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first, again, other = (parameters(build("own", (1, 8, 8), 10, seed)).tolist() for seed in (5, 5, 6))
    assert first == again and len(set(first) & set(other)) == 0
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def filled(*values):
    return torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(float(value))) for value in values])


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_layers_get_their_shapes_and_weights_from_the_seed_alone(monkeypatch):
    provide(monkeypatch, lambda shape, classes: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(classes)))
    net = build("own", (3, 4, 4), 10, seed=1)
    assert net[1].weight.shape == (10, 48) and type(net[1]) is torch.nn.Linear and net.training
    torch.manual_seed(3)
    assert torch.equal(parameters(net), parameters(build("own", (3, 4, 4), 10, seed=1)))
    assert not torch.equal(parameters(net), parameters(build("own", (3, 4, 4), 10, seed=2)))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("nowhere:net", "decaybench.models: entry point own = nowhere:net cannot be imported: ModuleNotFoundError"),
        ("math:net", "decaybench.models: entry point own = math:net cannot be imported: AttributeError"),
        ("math:pi", "task.model 'own' must be a function that builds an nn.Module, got 3.14"),
        (
            "math:floor",
            "task.model 'own' must build an nn.Module from the images' shape (1, 8, 8) and the number of classes 10, got TypeError",
        ),
    ],
)
def test_an_entry_point_that_gives_no_builder(monkeypatch, value, says):
    monkeypatch.setattr(models.registry, "entry_points", lambda *, group, name: [EntryPoint(name, value, group)])
    for dropout in (0.0, 0.5):
        with pytest.raises(UserError) as caught:
            build("own", (1, 8, 8), 10, seed=0, dropout=dropout)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(says) or (dropout and "task.dropout must be 0" in str(caught.value))
