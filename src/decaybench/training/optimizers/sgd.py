"""SGD with momentum, in torch's form and in Keras'."""

import torch
from torch import Tensor

from decaybench.training.optimizers.base import Optimizer


class _SGD(Optimizer):
    """What both forms remember: the velocity."""

    def __init__(
        self, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor, *, nesterov: bool
    ) -> None:
        super().__init__(parameters, momentum, weight_decay, decays)
        self._nesterov = nesterov
        self._velocity = torch.zeros_like(parameters)

    def memory(self) -> tuple[Tensor, ...]:
        return (self._velocity,)


class TorchSGD(_SGD):
    """SGD as torch has it: v = m·v + g; w -= lr·v (Nesterov: lr·(g + m·v))."""

    def direct(self, parameters: Tensor, gradient: Tensor) -> Tensor:
        gradient = super().direct(parameters, gradient)
        velocity = self._velocity.mul_(self.momentum).add_(gradient)
        return (velocity * self.momentum).add_(gradient) if self._nesterov else velocity

    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        parameters.sub_(direction * learning_rate[:, None])


class KerasSGD(_SGD):
    """SGD as Keras, Caffe and network3.py have it: v = m·v - lr·g; w += v (Nesterov: m·v - lr·g)."""

    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        scaled = direction.mul_(learning_rate[:, None])
        velocity = self._velocity.mul_(self.momentum).sub_(scaled)
        parameters.add_((velocity * self.momentum).sub_(scaled) if self._nesterov else velocity)
