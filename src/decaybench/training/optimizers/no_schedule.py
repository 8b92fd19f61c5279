"""Methods that promise to need no schedule, to be compared with those that are one."""

import torch
from torch import Tensor

from decaybench.training.optimizers.adam import BETA2, EPS
from decaybench.training.optimizers.base import Optimizer


class ScheduleFree(Optimizer):
    """Schedule-free SGD: z -= lr·g(y), x = the average of z weighed by lr_max², y = (1 - m)·z + m·x.

    ``parameters`` is y, where gradients are taken; x is what is evaluated. Weight decay acts at y.

    Source: Defazio et al. 2024, The road less scheduled; SGDScheduleFree of the package schedulefree (r = 0,
    weight_lr_power = 2).
    """

    def __init__(self, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor) -> None:
        super().__init__(parameters, momentum, weight_decay, decays)
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


class Prodigy(Optimizer):
    """Prodigy: Adam whose step d·lr it finds by itself, d being its estimate of the distance to the solution.

    ``momentum`` is beta1, and the learning rate, 1 as its authors have it, multiplies d. Weight decay is in the
    gradient.

    Source: Mishchenko & Defazio 2024; Prodigy of the package prodigyopt (decouple = False, the rest as it comes), which
    at beta1 = 0 leaves the paper: its momentum then has the new d.
    """

    START = 1e-6  # d at the first update

    def __init__(self, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor) -> None:
        super().__init__(parameters, momentum, weight_decay, decays)
        self._start = parameters.detach().clone()
        self._mean, self._square, self._sum = (torch.zeros_like(parameters) for _ in range(3))
        # Per run in double, (K, 1), as the package keeps them.
        self._distance = torch.full_like(self.momentum, self.START, dtype=torch.float64)
        self._numerator = torch.zeros_like(self._distance)

    def step(self, parameters: Tensor, direction: Tensor, learning_rate: Tensor) -> None:
        d, beta1, beta3 = self._distance, self.momentum, BETA2**0.5
        rate = d * learning_rate[:, None].double()
        weight = d / self.START * rate

        def own(scalar: Tensor) -> Tensor:
            return scalar.to(parameters.dtype)

        mean = self._mean * beta1 + direction * own(d * (1 - beta1.double()))
        square = self._square * BETA2 + direction * direction * own(d * d * (1 - BETA2))
        total = self._sum * beta3 + direction * own(weight)
        along = (direction * (self._start - parameters)).sum(1, keepdim=True).double()
        numerator = self._numerator * beta3 + weight * along
        length = total.abs().sum(1, keepdim=True).double()
        distance = torch.maximum(d, numerator / length)
        moves = (rate > 0) & (length > 0)  # a run without a learning rate, or without any gradient yet, stays as it is
        for kept, new in (
            (self._mean, mean),
            (self._square, square),
            (self._sum, total),
            (self._numerator, numerator),
            (self._distance, distance),
        ):
            kept.copy_(torch.where(moves, new, kept))
        size = self._square.sqrt().add_(own(self._distance * EPS))
        parameters.sub_(torch.where(moves, (self._mean * own(rate)).div_(size), 0.0))

    def memory(self) -> tuple[Tensor, ...]:
        return self._start, self._mean, self._square, self._sum, self._distance, self._numerator
