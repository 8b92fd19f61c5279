"""SGD with momentum, in torch's form and in Keras'."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

import torch
from torch import Tensor

from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import KerasCode, Subclass, TorchCode, Use
from decaybench.optimizers.form import Velocity


class SGD(Optimizer):
    """SGD as in torch: v = m·v + g; w -= lr·v (Nesterov: w -= lr·(g + m·v)).

    With ``velocity`` "keras", SGD as in Keras, Caffe and network3.py: v = m·v - lr·g; w += v (Nesterov: w += m·v -
    lr·g).

    Source: torch.optim.SGD; keras.optimizers.SGD.
    """

    name = "sgd"
    has_velocity = True
    # If the velocity contains the learning rate, there is no direction that the learning rate multiplies.
    observable: ClassVar[Mapping[Velocity, frozenset[str]]] = MappingProxyType(
        {
            "torch": frozenset({"grad_norm_sq", "grad_dot_direction", "grad_dot_previous"}),
            "keras": frozenset({"grad_norm_sq"}),
        }
    )

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        if use.form.velocity == "keras" and use.momentum > 0:
            return TorchCode("KerasSGD", _arguments(use), source=KERAS_SGD)
        return TorchCode("torch.optim.SGD", _arguments(use))

    @classmethod
    def in_keras(cls, use: Use) -> KerasCode:
        # With a constant learning rate both forms take the same path.
        other = use.form.velocity == "torch" and use.momentum > 0 and not use.constant
        return KerasCode("keras.optimizers.SGD", _arguments(use), other=_torch_sgd(use) if other else None)

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return {"velocity": torch.zeros_like(parameters)}

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        if self.form.velocity == "keras":
            return gradient
        momentum = carried["momentum"]
        velocity = carried["velocity"].mul_(momentum).add_(gradient)
        return (velocity * momentum).add_(gradient) if self.form.nesterov else velocity

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        if self.form.velocity == "torch":
            carried["parameters"].sub_(direction * learning_rate[:, None])
            return
        momentum, scaled = carried["momentum"], direction.mul_(learning_rate[:, None])
        velocity = carried["velocity"].mul_(momentum).sub_(scaled)
        carried["parameters"].add_((velocity * momentum).sub_(scaled) if self.form.nesterov else velocity)


def _arguments(use: Use) -> list[str]:
    return [f"momentum={use.momentum!r}", *(["nesterov=True"] if use.form.nesterov else [])]


KERAS_SGD: Final = '''\
class KerasSGD(torch.optim.SGD):
    """SGD with the learning rate inside the velocity, as in Keras and Caffe: v = m * v - lr * g; w += v.

    torch.optim.SGD computes v = m * v + g; w -= lr * v, which differs whenever the learning rate changes.
    """

    def __init__(self, params, lr, momentum, nesterov=False, weight_decay=0.0):
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                step = (p.grad + group["weight_decay"] * p) * group["lr"]
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(self.momentum).sub_(step)
                p.add_(velocity * self.momentum - step if self.nesterov else velocity)
        return loss
'''


def _torch_sgd(use: Use) -> Subclass:
    step = "(velocity * self.momentum + gradient)" if use.form.nesterov else "velocity"
    decay = "; weight decay is added to the gradient" if use.weight_decay else ""
    return Subclass(
        "TorchSGD",
        f"SGD as in torch: v = m * v + g; w -= lr * v{decay}.\n\n"
        "Keras' own SGD has the learning rate inside v, which differs whenever the learning rate changes.",
        [
            "velocity = self.momentums[self._get_variable_index(variable)]",
            "self.assign(velocity, velocity * self.momentum + gradient)",
            f"self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * {step})",
        ],
    )
