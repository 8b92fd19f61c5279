"""What a layer is: one operation of a model, computed for K runs at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Final, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from decaybench.training.layers.noise import Noise


class Layout(Enum):
    """How the activations of K runs lie in one tensor; for one run, they are (B, C, H, W) or (B, ...)."""

    MAPS = "(B, K·C, H, W), channels last"
    ROWS = "(K, B, ...)"


class Value(NamedTuple):
    """A tensor that a model computes: its place among them, and its shape for one image."""

    place: int
    shape: tuple[int, ...]


class Parameter(NamedTuple):
    """A parameter of a model: its place among the parameters. One that is used twice has one place."""

    place: int


class Buffer(NamedTuple):
    """A floating-point buffer of a model: its place among these."""

    place: int


class BatchSize:
    """Stands for the number of images where a model uses it as an argument."""


BATCH: Final = BatchSize()


class Call(NamedTuple):
    """A call of a function in a model's forward, never in place.

    In ``args`` and ``kwargs``, a tensor is a `Value`, `Parameter` or `Buffer`, the number of images is `BATCH`, and all
    else is as it was. ``made`` is the shape of the result for one image.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    made: tuple[int, ...]

    @property
    def leaves(self) -> list[Any]:
        """All arguments; those in lists and tuples singly."""
        return tree_leaves((self.args, dict(self.kwargs)), is_leaf=known)

    @property
    def values(self) -> list[Value]:
        """The tensors that the model computes among the arguments."""
        return [leaf for leaf in self.leaves if isinstance(leaf, Value)]

    @property
    def plain(self) -> bool:
        """Whether the arguments depend on neither the model's parameters and buffers nor the number of images."""
        return not any(isinstance(leaf, Parameter | Buffer | BatchSize) for leaf in self.leaves)

    def again(self, tensors: Sequence[Tensor]) -> Tensor:
        """The function's result with these tensors instead of ``values``."""
        given = iter(tensors)
        args, kwargs = tree_map(
            lambda leaf: next(given) if isinstance(leaf, Value) else leaf,
            (self.args, dict(self.kwargs)),
            is_leaf=known,
        )
        made: Tensor = self.function(*args, **kwargs)
        return made


def known(leaf: Any) -> bool:
    """Whether an argument is a tensor: these are tuples, but no part of a call's structure."""
    return isinstance(leaf, Value | Parameter | Buffer)


class Given(NamedTuple):
    """What a pass gives its layers, beside their inputs.

    ``parameters`` are the model's, (K, ...) each, in the dtype of the computation, or in that of the lanes if a layer
    ``keeps`` them. ``buffers`` are its floating-point buffers, (K, ...) each, in the dtype of the lanes; in training,
    the layers that own them change them in place. Without ``noise``, nothing is drawn: the pass is an evaluation, or a
    trial of the model. ``momentum``, if given, replaces the layers' own weight of a batch in running statistics.
    """

    k: int
    parameters: Sequence[Tensor]
    buffers: Sequence[Tensor]
    noise: Noise | None
    momentum: float | None = None

    def tensor(self, own: Parameter | Buffer) -> Tensor:
        """The K runs' values of a parameter or buffer, (K, ...)."""
        return (self.buffers if isinstance(own, Buffer) else self.parameters)[own.place]


class Layer(ABC):
    """One operation of a model for K runs, made from the call that computes it for one run.

    To add a kind, write one class in a file of its own and list it in ``KINDS``. It must give each run the bits that
    the run has beside any others (``tests/training/`` checks this), for K of at least 2.
    """

    functions: ClassVar[Sequence[Callable[..., Any]]]
    """The functions, and methods of Tensor, that it stands for. A module is known by the functions that it calls."""
    takes: Layout | None = None
    """The layout of its inputs; None for any, the same for all of them."""
    gives: Layout | None = None
    """The layout of its output; None for that of its inputs."""
    draws: bool = False
    """Whether it draws random numbers. They come from the host, so a CUDA graph cannot record the pass."""
    mixes: bool = False
    """Whether what it computes for an image depends on the other images of the batch."""
    changes: bool = False
    """Whether it changes buffers."""
    keeps: Sequence[Parameter] = ()
    """The parameters that it uses in the dtype of the lanes even if the computation's is narrower."""

    @classmethod
    @abstractmethod
    def of(cls, call: Call, *arguments: Any, **options: Any) -> Self | None:
        """The layer for ``call``, or None if there is none for it; the other arguments are again those of the call."""

    @abstractmethod
    def __call__(self, inputs: Sequence[Tensor], given: Given) -> Tensor:
        """The activations after the layer; ``inputs`` are those of the call's `Value` arguments, in their order."""


def functions_named(*names: str) -> tuple[Callable[..., Any], ...]:
    """The functions of these names in torch and torch.nn.functional, and Tensor's methods."""
    return tuple(getattr(place, name) for name in names for place in (torch, F, Tensor) if hasattr(place, name))


def apart(x: Tensor, k: int, layout: Layout) -> Tensor:
    """A view in which a run's dimension d > 0 has number d + 1: (B, K, C, H, W) of maps, and rows as they are."""
    return x.view(len(x), k, -1, *x.shape[2:]) if layout is Layout.MAPS else x


def together(x: Tensor, layout: Layout) -> Tensor:
    """The inverse of ``apart``."""
    if layout is Layout.ROWS:
        return x
    images, _, _, height, width = x.shape
    return x.permute(0, 3, 4, 1, 2).reshape(images, height, width, -1).permute(0, 3, 1, 2)


def natural(shape: tuple[int, ...]) -> Layout:
    """The layout in which activations of this shape for one image are computed, if any would do."""
    return Layout.MAPS if len(shape) == 3 else Layout.ROWS
