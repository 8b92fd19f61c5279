"""Schedule-free SGD, for comparison with methods that need a schedule."""

from collections.abc import Mapping

import torch
from torch import Tensor

from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import TorchCode, Use


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
    averages = True

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        imports = ["from schedulefree import SGDScheduleFree  # pip install schedulefree"]
        return TorchCode("SGDScheduleFree", [f"momentum={use.momentum!r}"], imports, averages=True)

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        # z and x; the largest learning rate so far, and the sum of the weights.
        scalars = {name: parameters.new_zeros(len(parameters), 1) for name in ("largest", "total")}
        return {"fast": parameters.clone(), "mean": parameters.clone(), **scalars}

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        lr = learning_rate[:, None]
        largest = torch.maximum(carried["largest"], lr, out=carried["largest"])
        weight = largest * largest
        total = carried["total"].add_(weight)
        share = torch.where(total > 0, weight / total, 0.0)
        fast = carried["fast"].sub_(direction.mul_(lr))
        mean = carried["mean"].mul_(1 - share).add_(fast * share)
        momentum = carried["momentum"]
        carried["parameters"].copy_((fast * (1 - momentum)).add_(mean * momentum))

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        return carried["mean"]
