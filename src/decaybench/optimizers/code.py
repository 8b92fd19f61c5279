"""How an optimizer is written in the code that an export prints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from decaybench.optimizers.form import OptimizerForm


@dataclass(frozen=True)
class Use:
    """What decides how an optimizer is written; ``constant``: the learning rate never changes."""

    form: OptimizerForm
    momentum: float
    weight_decay: float
    constant: bool


@dataclass(frozen=True)
class TorchCode:
    """``NAME(model.parameters(), lr=..., ARGUMENTS, weight_decay=...)`` in PyTorch.

    ``imports`` go on top, and ``source`` defines NAME where no package has it. With ``averages`` the training loop
    switches by ``optimizer.train()`` and ``.eval()`` between the weights that are trained and those that are evaluated.
    """

    name: str
    arguments: Sequence[str]
    imports: Sequence[str] = ()
    source: str = ""
    averages: bool = False


class Decay(NamedTuple):
    """Weight decay of ``{decay}`` as a line of Keras' ``update_step(gradient, variable, learning_rate)``, and why."""

    line: str
    words: str


COUPLED: Final = Decay(
    "gradient = gradient + {decay} * variable",
    "Weight decay is added to the gradient, as torch does; Keras' own weight_decay= is apart from it.",
)


class Subclass(NamedTuple):
    """A class of Keras with a step of its own: its name, its docstring, and the lines of its ``update_step`` after
    weight decay.
    """

    name: str
    doc: str
    step: Sequence[str]


@dataclass(frozen=True)
class KerasCode:
    """``NAME(learning_rate=..., ARGUMENTS)`` in Keras 3, with comments (``note``) above it.

    NAME is subclassed where its step is another (``other``), and where there is weight decay: Keras' own is none of
    torch's.
    """

    name: str
    arguments: Sequence[str]
    note: Sequence[str] = ()
    other: Subclass | None = None
    decay: Decay = COUPLED
