"""How an exported program writes an optimizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from decaybench.optimizers.form import OptimizerForm


@dataclass(frozen=True)
class Use:
    """What the exported code depends on. ``constant``: the learning rate never changes."""

    form: OptimizerForm
    momentum: float
    weight_decay: float
    constant: bool


@dataclass(frozen=True)
class TorchCode:
    """``NAME(model.parameters(), lr=..., ARGUMENTS, weight_decay=...)`` in PyTorch.

    ``imports`` are lines for the top of the program. ``source`` defines NAME if no package does. With ``averages``, the
    optimizer trains and evaluates different weights, and the program switches with ``optimizer.train()`` and
    ``optimizer.eval()``.
    """

    name: str
    arguments: Sequence[str]
    imports: Sequence[str] = ()
    source: str = ""
    averages: bool = False


class Decay(NamedTuple):
    """Weight decay as a line of Keras' ``update_step(gradient, variable, learning_rate)``, and a docstring for it.

    ``{decay}`` in ``line`` is replaced by the coefficient.
    """

    line: str
    words: str


COUPLED: Final = Decay(
    "gradient = gradient + {decay} * variable",
    "Weight decay is added to the gradient, as in torch; Keras' own weight_decay= is decoupled from it.",
)


class Subclass(NamedTuple):
    """A subclass of a Keras optimizer: its name, its docstring, and the lines of ``update_step`` after weight decay."""

    name: str
    doc: str
    step: Sequence[str]


@dataclass(frozen=True)
class KerasCode:
    """``NAME(learning_rate=..., ARGUMENTS)`` in Keras 3, with the comments ``note`` above it.

    NAME is subclassed if its step must differ (``other``), or for the weight ``decay`` that Keras lacks. Without a
    ``decay``, Keras' own is the right one: an argument ``weight_decay``.
    """

    name: str
    arguments: Sequence[str]
    note: Sequence[str] = ()
    other: Subclass | None = None
    decay: Decay | None = COUPLED
