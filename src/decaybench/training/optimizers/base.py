"""The update of K runs at once, on ``(K, P)`` tensors, in place.

Only products, sums, quotients and square roots, each an operation of its own: these are rounded exactly, so a run's
bits do not depend on where in a vector register it stood (a fused multiply-add in the body of a vector loop would
differ from its tail). A sum over one run's own row is the same at any K, too.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Kind = Literal["sgd", "adam", "schedule-free", "prodigy"]


@dataclass(frozen=True)
class OptimizerForm:
    """What changes the arithmetic of an update, and so belongs to a whole stack.

    ``velocity`` is where the learning rate enters: "torch" has v = m·v + g; w -= lr·v, "keras" (Keras, Caffe,
    network3.py) has v = m·v - lr·g; w += v. They differ whenever the learning rate changes.
    """

    kind: Kind = "sgd"
    nesterov: bool = False
    velocity: Literal["torch", "keras"] = "torch"


class Optimizer(ABC):
    """The optimizer of K runs; what it remembers of ``parameters`` (K, P) begins with them.

    ``momentum`` and ``weight_decay`` are ``(K,)``; ``decays`` is ``(P,)``, 1 where weight decay applies. Weight decay
    is torch's: wd·w is added to the gradient.
    """

    def __init__(self, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor) -> None:
        self.momentum, self._weight_decay, self._decays = momentum[:, None], weight_decay[:, None], decays
        self._decaying = bool((weight_decay > 0).any())  # settled before training: no host sync in it

    def direct(self, parameters: Tensor, gradient: Tensor) -> Tensor:
        """Take the gradient (K, P) in, which is used up; the direction (K, P) that ``step`` goes.

        With SGD it is what the learning rate multiplies: the velocity, or Nesterov's; with Keras' velocity the
        gradient, weight decay included.
        """
        if self._decaying:
            gradient.add_(parameters * self._decays * self._weight_decay)
        return gradient

    @abstractmethod
    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        """One update of ``parameters`` (K, P) along ``direct``'s direction; ``learning_rate`` is (K,)."""

    def weights(self, parameters: Tensor) -> Tensor:
        """The weights (K, P) to evaluate with: ``parameters``, unless the method trains at another point."""
        return parameters

    @abstractmethod
    def memory(self) -> tuple[Tensor, ...]:
        """What it remembers of each run, every tensor (K, ...)."""

    def take(self, index: Tensor) -> None:
        """Go on with these runs: an index (K',) into the K runs so far, with repetitions or gaps."""
        for tensor in (self.momentum, self._weight_decay, *self.memory()):
            tensor.data = tensor[index]

    def forget(self, dead: Tensor) -> None:
        """Zero the memory of the runs marked in ``dead`` (K,), so that no NaN stays in it."""
        for tensor in self.memory():
            tensor.masked_fill_(dead[:, None], 0.0)
