"""Which optimizer a stack uses, and which average of its weights, as plain data."""

from dataclasses import dataclass
from typing import Final, Literal

Velocity = Literal["torch", "keras"]
DEFAULT: Final = "sgd"  # if the sweep names none


@dataclass(frozen=True)
class Average:
    """An average of the weights, which is evaluated in their place; one of the two is set.

    ``ema`` d: avg = d·avg + (1 - d)·w after each update, from the initial weights on. ``last`` n: the mean of the
    weights at the ends of a run's last n epochs; before the first of them, the weights themselves are evaluated.
    """

    ema: float | None = None
    last: int | None = None

    def table(self) -> dict[str, int | float]:
        """The same as in a sweep file."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def __str__(self) -> str:
        """In words."""
        return f"mean of the last {self.last} epochs" if self.ema is None else f"EMA {self.ema:g}"


@dataclass(frozen=True)
class OptimizerForm:
    """The settings of a strategy that change the arithmetic, and so must be the same for all runs of a stack.

    ``kind`` is a name in ``OPTIMIZERS``. ``velocity`` is where the learning rate enters: "torch" means v = m·v + g;
    w -= lr·v, and "keras" (Keras, Caffe, network3.py) means v = m·v - lr·g; w += v. The two differ whenever the
    learning rate changes. Without an ``average``, the weights that are trained are evaluated, unless the optimizer has
    others.
    """

    kind: str = DEFAULT
    nesterov: bool = False
    velocity: Velocity = "torch"
    average: Average | None = None

    @property
    def needs_length(self) -> bool:
        """Whether runs that are alike in all but their numbers of epochs are not computed alike."""
        return self.average is not None and self.average.last is not None
