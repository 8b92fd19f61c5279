"""The CNNs. Each is written for one model; a stack of K models uses the same layers."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from decaybench import plugins, seeds
from decaybench.errors import UserError, reason

Shape = tuple[int, int, int]
Builder = Callable[..., nn.Module]


def small_cnn(shape: Shape, classes: int) -> nn.Sequential:
    """conv 16 3x3 same, ReLU, pool 2, conv 32 3x3 same, ReLU, pool 2, dense 64, ReLU, dense ``classes``.

    Initial weights are torch's defaults.
    """
    channels, height, width = shape
    _require("small-cnn", shape, least=4)
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def lenet(shape: Shape, classes: int, dropout: float = 0.0) -> nn.Sequential:
    """conv 20 5x5 valid, ReLU, pool 2, conv 40 5x5 valid, ReLU, pool 2, dense 100, ReLU, dense ``classes``.

    ``dropout`` is the share of each dense layer's inputs that is dropped. Initial weights are Glorot uniform, and
    biases are 0. With these, three epochs on MNIST ended 0.3 points higher than with torch's defaults.

    Source: network3.py of M. Nielsen, Neural Networks and Deep Learning (2015), the network with two convolutional
    layers and ReLU.
    """
    channels, height, width = shape
    _require("lenet", shape, least=16)
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    model = nn.Sequential(
        nn.Conv2d(channels, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        *_dropout(dropout),
        nn.Linear(40 * rows * columns, 100),
        nn.ReLU(),
        *_dropout(dropout),
        nn.Linear(100, classes),
    )
    _glorot(model, nn.init.xavier_uniform_)
    return model


def three_c_three_d(shape: Shape, classes: int) -> nn.Sequential:
    """conv 64 5x5 valid, conv 96 3x3 valid, conv 128 3x3 same, each with ReLU and pool 3 stride 2 same; then dense 512,
    ReLU, dense 256, ReLU, dense ``classes``.

    Initial weights are Glorot normal for convolutions and Glorot uniform for dense layers; biases are 0.

    Source: 3c3d of DeepOBS (Schneider et al. 2019).
    """
    channels, *sides = shape
    _require("3c3d", shape, least=9)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, padding in ((channels, 64, 5, 0), (64, 96, 3, 0), (96, 128, 3, 1)):
        sides = [side + 2 * padding - kernel + 1 for side in sides]
        # TensorFlow's "same" pads both borders of an odd side, and only the far border of an even one.
        pool = nn.MaxPool2d(3, 2, padding=(sides[0] % 2, sides[1] % 2), ceil_mode=True)
        sides = [(side + 1) // 2 for side in sides]
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.ReLU(), pool]
    layers += [nn.Flatten(), nn.Linear(128 * sides[0] * sides[1], 512), nn.ReLU()]
    layers += [nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, classes)]
    _glorot(layers, nn.init.xavier_normal_)
    return nn.Sequential(*layers)


def _glorot(layers: Iterable[nn.Module], convolutions: Callable[[Tensor], Tensor]) -> None:
    """Initialise as in Glorot & Bengio (2010): convolutions by ``convolutions``, dense layers uniformly, biases to 0.

    Draws from torch's global generator.
    """
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            (convolutions if isinstance(layer, nn.Conv2d) else nn.init.xavier_uniform_)(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []


class _Models(Mapping[str, Builder]):
    """The built-in models and the entry points of the group ``decaybench.models``, which are loaded only when used."""

    _built_in: Mapping[str, Builder] = {"3c3d": three_c_three_d, "lenet": lenet, "small-cnn": small_cnn}

    def __getitem__(self, name: str) -> Builder:
        if name in self._built_in:
            return self._built_in[name]
        for entry_point in entry_points(group="decaybench.models", name=name):
            builder: Builder = plugins.load(entry_point)
            return builder
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._built_in, *entry_points(group="decaybench.models").names}))

    def __len__(self) -> int:
        return len(list(iter(self)))


MODELS: Mapping[str, Builder] = _Models()
"""Maps each name to a function of an image shape (C, H, W) and the number of classes that returns an nn.Module.

It draws initial weights from the global generators.
"""


def build(name: str, shape: Shape, classes: int, seed: int, dropout: float = 0.0) -> nn.Module:
    """Build the model ``name`` on the CPU for images (C, H, W), with initial weights that depend on ``seed`` alone.

    The state of the global generators is restored. Lazy layers get their shapes from a pass over blank images.
    ``dropout``, if not 0, is passed to the model's builder.

    Raises UserError for a name that MODELS lacks, for images that are too small for the model's layers, for dropout if
    the model has none, and for a builder that raises or does not return an nn.Module.
    """
    if name not in MODELS:
        raise UserError(f"task.model must be one of {', '.join(MODELS)}, got {name!r}")
    builder = MODELS[name]
    if not callable(builder):
        raise UserError(f"task.model {name!r} must be a function that builds an nn.Module, got {builder!r}")
    options = {"dropout": dropout} if dropout else {}
    try:
        if dropout and "dropout" not in inspect.signature(builder).parameters:
            raise UserError(f"task.dropout must be 0 for model {name!r}, which has no dropout, got {dropout}")
        with seeds.seeded(seeds.derive(seed, "init")), torch.device("cpu"):
            model = builder(shape, classes, **options)
            if isinstance(model, nn.Module) and any(map(is_lazy, (*model.parameters(), *model.buffers()))):
                with torch.no_grad():
                    model.eval()(torch.zeros(2, *shape))
                model.train()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a user's builder may raise anything
        wanted = f"an nn.Module from the images' shape {shape} and the number of classes {classes}"
        raise UserError(f"task.model {name!r} must build {wanted}, got {reason(error)}") from error
    if not isinstance(model, nn.Module):
        raise UserError(f"task.model {name!r} must build an nn.Module, got {type(model).__name__}")
    return model


def _require(name: str, shape: Shape, least: int) -> None:
    _, height, width = shape
    if min(height, width) < least:
        raise UserError(f"task.model {name!r} needs images of at least {least}x{least} pixels, got {width}x{height}")
