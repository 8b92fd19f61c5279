"""Prodigy, for comparison with methods that need a schedule."""

import torch
from torch import Tensor

from decaybench.optimizers.adam import BETA2, EPS
from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import TorchCode, Use
from decaybench.optimizers.form import OptimizerForm


class Prodigy(Optimizer):
    """Prodigy: Adam with step size d·lr, where d is its own running estimate of the distance to the solution.

    ``momentum`` is beta1. The learning rate multiplies d; its authors use 1. Weight decay is added to the gradient.

    Source: Mishchenko & Defazio 2024; Prodigy of the package prodigyopt (decouple=False, otherwise its defaults). At
    beta1 = 0 the package departs from the paper: its step then uses the new d. This class follows the paper.
    """

    name = "prodigy"
    needs_schedule = False
    START = 1e-6  # d at the first update

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        # decouple=False: weight decay is in the gradient
        arguments = [f"betas=({use.momentum!r}, {BETA2})", "decouple=False"]
        return TorchCode("Prodigy", arguments, ["from prodigyopt import Prodigy  # pip install prodigyopt"])

    def __init__(
        self, form: OptimizerForm, parameters: Tensor, momentum: Tensor, weight_decay: Tensor, decays: Tensor
    ) -> None:
        super().__init__(form, parameters, momentum, weight_decay, decays)
        self._start = parameters.detach().clone()
        self._mean, self._square, self._sum = (torch.zeros_like(parameters) for _ in range(3))
        # Per run, (K, 1), in float64 as in the package.
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
        moves = (rate > 0) & (length > 0)  # a run with learning rate 0, or with no gradient so far, does not change
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
