"""The base class of the optimizers: a link that updates the parameters of L lanes, and a description.

To add an optimizer, write one class in a file of its own and list it in ``KINDS``. The sweep file, training and the
exports follow from the class.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor

from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import OptimizerForm, Velocity
from decaybench.optimizers.link import Link


class Optimizer(Link, ABC):
    """The optimizer of the stacks with this ``form``."""

    name: ClassVar[str]
    needs_schedule: ClassVar[bool] = True
    """False for a method that claims to need no schedule."""
    has_velocity: ClassVar[bool] = False
    """Whether it supports both kinds of velocity and Nesterov's form; if not, only ``OptimizerForm(name)`` is legal."""
    needs_momentum: ClassVar[bool] = False
    """Whether momentum must be above 0."""
    decoupled: ClassVar[bool] = False
    """Whether weight decay shrinks the weights before the step (w *= 1 - lr·wd); if not, wd·w is in the gradient."""
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

    def __init__(self, form: OptimizerForm) -> None:
        self.form = form

    @abstractmethod
    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        """Update the parameters along the direction from ``direct``.

        With SGD, that is what the learning rate multiplies: the velocity (or Nesterov's combination), or the gradient
        if the velocity is Keras'. With coupled weight decay, it includes wd·w.
        """
