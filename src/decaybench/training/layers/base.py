"""What a layer is: one operation of a model, computed for K runs at once."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar, NamedTuple, Self

from torch import Tensor, nn

from decaybench.training.layers.noise import Noise

Places = Mapping[int, int]
"""Maps the id of each parameter and buffer of a model to its place in `Given`.

They are found by identity, so a layer or weight that is used twice is one parameter.
"""


class Layout(Enum):
    """How the activations of K runs lie in one tensor."""

    MAPS = "(B, K·C, H, W), channels last"
    ROWS = "(K, B, F)"


class Given(NamedTuple):
    """What a pass gives its layers, beside their input.

    ``parameters`` are the model's, (K, ...) each, in the dtype of the computation. ``buffers`` are its floating-point
    buffers, (K, ...) each, in the dtype of the lanes; in ``training``, the layers that own them change them in place.
    Without ``noise``, nothing is drawn: the pass is an evaluation, or a trial of the model.
    """

    k: int
    parameters: Sequence[Tensor]
    buffers: Sequence[Tensor]
    noise: Noise | None
    training: bool


class Layer(ABC):
    """One operation of a model for K runs, made from the module that computes it for one run.

    To add a kind, write one class in a file of its own and list it in ``KINDS``. It must give each run the bits that
    the run has beside any others (``tests/training/`` checks this), for K of at least 2.
    """

    modules: ClassVar[Sequence[type[nn.Module]]]
    """The modules that it stands for. A subclass of one of them may have a forward of its own, so it does not count."""
    takes: Layout | None = None
    """The layout of its input; None for any."""
    gives: Layout | None = None
    """The layout of its output; None for that of its input."""
    draws: bool = False
    """Whether it draws random numbers in training. They come from the host, so a CUDA graph cannot record the pass."""

    @classmethod
    @abstractmethod
    def of(cls, module: nn.Module, places: Places) -> Self | None:
        """The layer for a module of one of ``modules``, or None if it cannot do what the module's options demand."""

    @abstractmethod
    def __call__(self, x: Tensor, given: Given) -> Tensor:
        """The activations after the layer."""


def weight_and_bias(module: nn.Conv2d | nn.Linear, places: Places) -> tuple[int, int | None] | None:
    """The places of a module's weight and bias; None if one of them is not a parameter of the model."""
    weight, bias = places.get(id(module.weight)), places.get(id(module.bias))
    if weight is None or (bias is None and module.bias is not None):
        return None
    return weight, bias
