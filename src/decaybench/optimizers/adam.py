"""Adam."""

import torch
from torch import Tensor

from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import KerasCode, TorchCode, Use
from decaybench.optimizers.form import OptimizerForm

BETA2 = 0.999
EPS = 1e-8


class Adam(Optimizer):
    """Adam as in torch; ``momentum`` is beta1.

    Source: Kingma & Ba 2015; torch.optim.Adam (beta2 0.999, eps 1e-8, weight decay added to the gradient).
    """

    name = "adam"

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        return TorchCode("torch.optim.Adam", [f"betas=({use.momentum!r}, {BETA2})"])

    @classmethod
    def in_keras(cls, use: Use) -> KerasCode:
        return KerasCode(
            "keras.optimizers.Adam",
            [f"beta_1={use.momentum!r}", f"beta_2={BETA2}", "epsilon=1e-8"],
            ["# Keras adds epsilon to the uncorrected second moment's root, torch's Adam to the corrected one's."],
        )

    def __init__(
        self, form: OptimizerForm, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor
    ) -> None:
        super().__init__(form, parameters, momentum, weight_decay, decays)
        self._mean, self._square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        # beta1 ** t and beta2 ** t are running products, since torch.pow's bits depend on the place in the vector.
        self._power1 = torch.ones_like(self.momentum, dtype=torch.float64)
        self._power2 = torch.ones_like(self._power1)

    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        beta1 = self.momentum
        self._power1 *= beta1.double()
        self._power2 *= BETA2
        mean = self._mean.mul_(beta1).add_(direction * (1 - beta1))
        square = self._square.mul_(BETA2).add_((direction * direction).mul_(1 - BETA2))
        correction1, correction2 = ((1 - power).to(beta1.dtype) for power in (self._power1, self._power2))
        step = (mean / correction1).mul_(learning_rate[:, None])
        parameters.sub_(step.div_((square / correction2).sqrt_().add_(EPS)))

    def memory(self) -> tuple[Tensor, ...]:
        return self._mean, self._square, self._power1, self._power2
