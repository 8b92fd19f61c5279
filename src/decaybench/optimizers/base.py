"""The base class of the optimizers: in-place updates of K runs at once, on ``(K, P)`` tensors, and a description.

To add an optimizer, write one class in a file of its own and list it in ``KINDS``. The sweep file, training and the
exports follow from the class.

Use only products, sums, quotients and square roots, each as an operation of its own. These are rounded correctly, so a
run's bits do not depend on its place in a vector register. (A fused multiply-add would round differently in the body of
a vector loop than in its tail.) A sum over one run's row has the same bits at any K, too.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor

from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import OptimizerForm, Velocity


class Optimizer(ABC):
    """The optimizer of K runs that start at ``parameters`` (K, P).

    ``momentum`` and ``weight_decay`` are ``(K,)``. ``decays`` is ``(P,)``: 1 where weight decay applies, 0 elsewhere.
    Weight decay is coupled, as in torch: wd·w is added to the gradient.
    """

    name: ClassVar[str]
    needs_schedule: ClassVar[bool] = True
    """False for a method that claims to need no schedule."""
    has_velocity: ClassVar[bool] = False
    """Whether it supports both kinds of velocity and Nesterov's form; if not, only ``OptimizerForm(name)`` is legal."""
    needs_momentum: ClassVar[bool] = False
    """Whether momentum must be above 0."""
    observable: ClassVar[Mapping[Velocity, frozenset[str]]] = MappingProxyType({})
    """For each velocity, the products of gradients (``schedules.base.PRODUCTS``) that a rule may observe: those whose u
    is what ``direct`` returns."""

    def __init_subclass__(cls) -> None:
        """Do not inherit ``in_torch`` and ``in_keras``: the parent's code is that of another optimizer."""
        super().__init_subclass__()
        for code in ("in_torch", "in_keras"):
            if code not in vars(cls):
                setattr(cls, code, vars(Optimizer)[code])

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode | None:
        """The optimizer in PyTorch, or None if it cannot be exported."""
        return None

    @classmethod
    def in_keras(cls, use: Use) -> KerasCode | None:
        """The optimizer in Keras, or None if it cannot be exported."""
        return None

    def __init__(
        self, form: OptimizerForm, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor
    ) -> None:
        self.form = form
        self.momentum, self._weight_decay, self._decays = momentum[:, None], weight_decay[:, None], decays
        self._decaying = bool((weight_decay > 0).any())  # read here once, since it makes the host wait for the device

    def direct(self, parameters: Tensor, gradient: Tensor) -> Tensor:
        """Return the direction (K, P) for ``step``, from the gradient (K, P), which is overwritten.

        With SGD it is what the learning rate multiplies, including weight decay: the velocity (or Nesterov's
        combination), or the gradient if the velocity is Keras'.
        """
        if self._decaying:
            gradient.add_(parameters * self._decays * self._weight_decay)
        return gradient

    @abstractmethod
    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        """Update ``parameters`` (K, P) in place along the direction from ``direct``; ``learning_rate`` is (K,)."""

    def weights(self, parameters: Tensor) -> Tensor:
        """The weights (K, P) to evaluate: ``parameters``, unless the method computes gradients at another point."""
        return parameters

    @abstractmethod
    def memory(self) -> tuple[Tensor, ...]:
        """All state of the runs, as tensors (K, ...)."""

    def take(self, index: Tensor) -> None:
        """Keep the runs in ``index`` (K',), in this order; it may repeat runs or leave some out."""
        for tensor in (self.momentum, self._weight_decay, *self.memory()):
            tensor.data = tensor[index]

    def forget(self, dead: Tensor) -> None:
        """Zero the state of the runs marked in ``dead``, bool (K,), so that no NaN stays in it."""
        for tensor in self.memory():
            tensor.masked_fill_(dead[:, None], 0.0)
