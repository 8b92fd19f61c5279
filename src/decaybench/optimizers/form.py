"""Which optimizer a stack uses, as plain data."""

from dataclasses import dataclass
from typing import Final, Literal

Velocity = Literal["torch", "keras"]
DEFAULT: Final = "sgd"  # if the sweep names none


@dataclass(frozen=True)
class OptimizerForm:
    """The settings that change the arithmetic of an update, and so must be the same for all runs of a stack.

    ``kind`` is a name in ``OPTIMIZERS``. ``velocity`` is where the learning rate enters: "torch" means v = m·v + g;
    w -= lr·v, and "keras" (Keras, Caffe, network3.py) means v = m·v - lr·g; w += v. The two differ whenever the
    learning rate changes.
    """

    kind: str = DEFAULT
    nesterov: bool = False
    velocity: Velocity = "torch"
