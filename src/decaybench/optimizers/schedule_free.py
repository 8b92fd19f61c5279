"""Schedule-free SGD, for comparison with methods that need a schedule."""

import torch
from torch import Tensor

from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import TorchCode, Use
from decaybench.optimizers.form import OptimizerForm


class ScheduleFree(Optimizer):
    """Schedule-free SGD: z -= lr·g(y); x is the average of z weighted by lr_max²; y = (1 - m)·z + m·x.

    ``parameters`` is y, where gradients and weight decay are computed; x is evaluated. lr_max is the largest learning
    rate so far.

    Source: Defazio et al. 2024, The road less scheduled; SGDScheduleFree of the package schedulefree (r = 0,
    weight_lr_power = 2).
    """

    name = "schedule-free"
    needs_schedule = False
    needs_momentum = True

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        imports = ["from schedulefree import SGDScheduleFree  # pip install schedulefree"]
        return TorchCode("SGDScheduleFree", [f"momentum={use.momentum!r}"], imports, averages=True)

    def __init__(
        self, form: OptimizerForm, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor
    ) -> None:
        super().__init__(form, parameters, momentum, weight_decay, decays)
        self._fast, self._mean = parameters.detach().clone(), parameters.detach().clone()  # z and x
        self._largest = torch.zeros_like(self.momentum)  # the largest learning rate so far
        self._total = torch.zeros_like(self.momentum)

    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        lr = learning_rate[:, None]
        torch.maximum(self._largest, lr, out=self._largest)
        weight = self._largest * self._largest
        self._total += weight
        share = torch.where(self._total > 0, weight / self._total, 0.0)
        self._fast.sub_(direction.mul_(lr))
        self._mean.mul_(1 - share).add_(self._fast * share)
        parameters.copy_((self._fast * (1 - self.momentum)).add_(self._mean * self.momentum))

    def weights(self, parameters: Tensor) -> Tensor:
        return self._mean

    def memory(self) -> tuple[Tensor, ...]:
        return self._fast, self._mean, self._largest, self._total
