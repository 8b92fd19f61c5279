"""What every optimizer is: the update of K runs at once, on ``(K, P)`` tensors, in place, and what is known of it.

Adding one is writing one class in a file of its own and listing it in ``KINDS``: the sweep file, training and the
exports follow from the class.

Only products, sums, quotients and square roots, each an operation of its own: these are rounded exactly, so a run's
bits do not depend on where in a vector register it stood (a fused multiply-add in the body of a vector loop would
differ from its tail). A sum over one run's own row is the same at any K, too.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor

from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import OptimizerForm, Velocity


class Optimizer(ABC):
    """The optimizer of K runs; what it remembers of ``parameters`` (K, P) begins with them.

    ``momentum`` and ``weight_decay`` are ``(K,)``; ``decays`` is ``(P,)``, 1 where weight decay applies. Weight decay
    is torch's: wd·w is added to the gradient.
    """

    name: ClassVar[str]
    needs_schedule: ClassVar[bool] = True
    """False for a method that promises to need none."""
    has_velocity: ClassVar[bool] = False
    """Whether it has both velocities, and Nesterov's form; the others are in ``OptimizerForm(name)`` alone."""
    needs_momentum: ClassVar[bool] = False
    """Whether momentum 0 is refused."""
    observable: ClassVar[Mapping[Velocity, frozenset[str]]] = MappingProxyType({})
    """The products of gradients (``schedules.base.PRODUCTS``) that a rule may look at, for each velocity: those whose u
    is what ``direct`` returns."""

    def __init_subclass__(cls) -> None:
        """A class has its own code or none: that of the class that it extends is the code of another optimizer."""
        super().__init_subclass__()
        for code in ("in_torch", "in_keras"):
            if code not in vars(cls):
                setattr(cls, code, vars(Optimizer)[code])

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode | None:
        """PyTorch's code; without any an export is refused."""
        return None

    @classmethod
    def in_keras(cls, use: Use) -> KerasCode | None:
        """Keras' code; without any an export is refused."""
        return None

    def __init__(
        self, form: OptimizerForm, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor
    ) -> None:
        self.form = form
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
