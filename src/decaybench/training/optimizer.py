"""The update of K runs at once, on ``(K, P)`` tensors, in place.

Only products, sums, quotients and square roots, each an operation of its own: these are rounded exactly, so a run's
bits do not depend on where in a vector register it stood (a fused multiply-add in the body of a vector loop would
differ from its tail).
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

ADAM_BETA2 = 0.999
ADAM_EPS = 1e-8


@dataclass(frozen=True)
class OptimizerForm:
    """What changes the arithmetic of an update, and so belongs to a whole stack.

    ``velocity`` is where the learning rate enters: "torch" has v = m·v + g; w -= lr·v, "keras" (Keras, Caffe,
    network3.py) has v = m·v - lr·g; w += v. They differ whenever the learning rate changes.
    """

    kind: Literal["sgd", "adam"] = "sgd"
    nesterov: bool = False
    velocity: Literal["torch", "keras"] = "torch"


@dataclass
class Optimizer:
    """SGD with momentum, or Adam, for K runs.

    ``momentum`` and ``weight_decay`` are ``(K,)`` (under Adam, momentum is beta1); ``decays`` is ``(P,)``, 1 where
    weight decay applies. Weight decay is torch's: wd·w is added to the gradient.
    """

    form: OptimizerForm
    momentum: Tensor
    weight_decay: Tensor
    decays: Tensor
    _velocity: Tensor | None = field(default=None, init=False)
    _square: Tensor | None = field(default=None, init=False)
    _power1: Tensor | None = field(default=None, init=False)  # beta1 ** t and beta2 ** t, kept as running products,
    _power2: float = field(default=1.0, init=False)  # since torch.pow's bits depend on an element's place in the vector

    def __post_init__(self) -> None:
        self._decaying = bool((self.weight_decay > 0).any())  # settled before training: no host sync in it

    def step(self, parameters: Tensor, gradient: Tensor, learning_rate: Tensor) -> None:
        """One update of ``parameters`` (K, P) by ``gradient`` (K, P), which is used up; ``learning_rate`` is (K,)."""
        lr, momentum = learning_rate[:, None], self.momentum[:, None]
        if self._velocity is None:
            self._velocity = torch.zeros_like(parameters)
        if self._decaying:
            gradient.add_(parameters * self.decays * self.weight_decay[:, None])
        if self.form.kind == "adam":
            self._adam(parameters, gradient, lr, momentum)
        elif self.form.velocity == "torch":
            velocity = self._velocity.mul_(momentum).add_(gradient)
            direction = (velocity * momentum).add_(gradient) if self.form.nesterov else velocity
            parameters.sub_(direction * lr)
        else:
            scaled = gradient.mul_(lr)
            velocity = self._velocity.mul_(momentum).sub_(scaled)
            parameters.add_((velocity * momentum).sub_(scaled) if self.form.nesterov else velocity)

    def _adam(self, parameters: Tensor, gradient: Tensor, lr: Tensor, beta1: Tensor) -> None:
        if self._square is None or self._power1 is None:
            self._square = torch.zeros_like(parameters)
            self._power1 = torch.ones_like(beta1, dtype=torch.float64)
        assert self._velocity is not None
        self._power1 = self._power1 * beta1.double()
        self._power2 *= ADAM_BETA2
        mean = self._velocity.mul_(beta1).add_(gradient * (1 - beta1))
        square = self._square.mul_(ADAM_BETA2).add_((gradient * gradient).mul_(1 - ADAM_BETA2))
        correction1 = (1 - self._power1).to(beta1.dtype)
        correction2 = 1 - self._power2
        parameters.sub_((mean / correction1).mul_(lr).div_((square / correction2).sqrt_().add_(ADAM_EPS)))

    def forget(self, dead: Tensor) -> None:
        """Zero the memory of the runs marked in ``dead`` (K,), so that no NaN stays in it."""
        for memory in (self._velocity, self._square):
            if memory is not None:
                memory.masked_fill_(dead[:, None], 0.0)
