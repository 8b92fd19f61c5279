"""The models by their names."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from decaybench import plugins, seeds
from decaybench.errors import UserError, reason
from decaybench.models import plain, residual
from decaybench.models.choice import Model, Option
from decaybench.models.shape import Shape

Builder = Callable[..., nn.Module]


class _Models(Mapping[str, Builder]):
    """The built-in models and the entry points of the group ``decaybench.models``, which are loaded only when used."""

    _built_in: Mapping[str, Builder] = {
        "2c2d": plain.two_c_two_d,
        "3c3d": plain.three_c_three_d,
        "all-cnn-c": plain.all_cnn_c,
        "lenet": plain.lenet,
        "resnet18": residual.resnet18,
        "resnet20": residual.resnet20,
        "resnet8": residual.resnet8,
        "resnet9": residual.resnet9,
        "small-cnn": plain.small_cnn,
        "wrn-16-4": residual.wrn_16_4,
    }

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


def build(model: str | Model, shape: Shape, classes: int, seed: int, dropout: float = 0.0) -> nn.Module:
    """Build a model on the CPU for images (C, H, W), with initial weights that depend on ``seed`` alone.

    The state of the global generators is restored. Lazy layers get their shapes from a pass over blank images.
    ``dropout``, if not 0, is one more option of the model.

    Raises UserError for a name that MODELS lacks, for an option that the model does not have, for images that are too
    small for the model's layers, and for a builder that raises or does not return an nn.Module.
    """
    name, options = (model, {}) if isinstance(model, str) else (model.name, dict(model.options))
    made_by = builder(model)
    try:
        options = _accepted(name, made_by, options, dropout)
        with seeds.seeded(seeds.derive(seed, "init")), torch.device("cpu"):
            made = made_by(shape, classes, **options)
            if isinstance(made, nn.Module) and any(map(is_lazy, (*made.parameters(), *made.buffers()))):
                with torch.no_grad():
                    made.eval()(torch.zeros(2, *shape))
                made.train()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # a user's builder may raise anything
        wanted = f"an nn.Module from the images' shape {shape} and the number of classes {classes}"
        raise UserError(f"task.model {name!r} must build {wanted}, got {reason(error)}") from error
    if not isinstance(made, nn.Module):
        raise UserError(f"task.model {name!r} must build an nn.Module, got {type(made).__name__}")
    return made


def builder(model: str | Model) -> Builder:
    """The function that builds a model. Raises UserError for a name that MODELS lacks, or that is not a function's."""
    name = model if isinstance(model, str) else model.name
    if name not in MODELS:
        raise UserError(f"task.model must be one of {', '.join(MODELS)}, got {name!r}")
    found = MODELS[name]
    if not callable(found):
        raise UserError(f"task.model {name!r} must be a function that builds an nn.Module, got {found!r}")
    return found


def _accepted(name: str, made_by: Builder, options: dict[str, Option], dropout: float) -> dict[str, Option]:
    """The builder's arguments; UserError if it does not take one of them."""
    if not options and not dropout:
        return {}
    parameters = inspect.signature(made_by).parameters.values()
    takes = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD][2:]
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option in options:
        if option not in takes and not anything:
            known = f"; it has {', '.join(takes)}" if takes else ""
            raise UserError(f"task.model.{option}: model {name!r} has no such option{known}")
    if dropout and "dropout" in options:
        raise UserError(f"task.dropout: is also set in task.model, got {dropout}")
    if dropout and "dropout" not in takes and not anything:
        raise UserError(f"task.dropout must be 0 for model {name!r}, which has no dropout, got {dropout}")
    return {**options, **({"dropout": dropout} if dropout else {})}
