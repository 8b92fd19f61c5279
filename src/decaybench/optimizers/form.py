"""Which optimizer a stack has, in words."""

from dataclasses import dataclass
from typing import Final, Literal

Velocity = Literal["torch", "keras"]
DEFAULT: Final = "sgd"  # where a sweep names none


@dataclass(frozen=True)
class OptimizerForm:
    """What changes the arithmetic of an update, and so belongs to a whole stack; ``kind`` is a name in ``OPTIMIZERS``.

    ``velocity`` is where the learning rate enters: "torch" has v = m·v + g; w -= lr·v, "keras" (Keras, Caffe,
    network3.py) has v = m·v - lr·g; w += v. They differ whenever the learning rate changes.
    """

    kind: str = DEFAULT
    nesterov: bool = False
    velocity: Velocity = "torch"
