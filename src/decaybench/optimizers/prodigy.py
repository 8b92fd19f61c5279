"""Prodigy, for comparison with methods that need a schedule."""

from collections.abc import Mapping

import torch
from torch import Tensor

from decaybench.optimizers.adam import BETA2, EPS
from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import TorchCode, Use


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

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        # Per lane, (L, 1), in float64 as in the package.
        distance = parameters.new_full((len(parameters), 1), self.START, dtype=torch.float64)
        sums = {name: torch.zeros_like(parameters) for name in ("mean", "square", "sum")}
        return {"start": parameters.clone(), **sums, "distance": distance, "numerator": torch.zeros_like(distance)}

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        parameters, d, beta1, beta3 = carried["parameters"], carried["distance"], carried["momentum"], BETA2**0.5
        rate = d * learning_rate[:, None].double()
        weight = d / self.START * rate

        def own(scalar: Tensor) -> Tensor:
            return scalar.to(parameters.dtype)

        mean = carried["mean"] * beta1 + direction * own(d * (1 - beta1.double()))
        square = carried["square"] * BETA2 + direction * direction * own(d * d * (1 - BETA2))
        total = carried["sum"] * beta3 + direction * own(weight)
        along = (direction * (carried["start"] - parameters)).sum(1, keepdim=True).double()
        numerator = carried["numerator"] * beta3 + weight * along
        length = total.abs().sum(1, keepdim=True).double()
        distance = torch.maximum(d, numerator / length)
        moves = (rate > 0) & (length > 0)  # a run with learning rate 0, or with no gradient so far, does not change
        made = {"mean": mean, "square": square, "sum": total, "numerator": numerator, "distance": distance}
        for name, new in made.items():
            carried[name].copy_(torch.where(moves, new, carried[name]))
        size = carried["square"].sqrt().add_(own(carried["distance"] * EPS))
        parameters.sub_(torch.where(moves, (carried["mean"] * own(rate)).div_(size), 0.0))
