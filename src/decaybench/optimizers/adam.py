"""Adam."""

from collections.abc import Mapping

import torch
from torch import Tensor

from decaybench.optimizers.base import Optimizer
from decaybench.optimizers.code import KerasCode, TorchCode, Use

BETA2 = 0.999
EPS = 1e-8
NOTE = "# Keras adds epsilon to the uncorrected second moment's root, torch's Adam to the corrected one's."


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
            [NOTE],
        )

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        # beta1 ** t and beta2 ** t are running products, since torch.pow's bits depend on the place in the vector.
        powers = {name: parameters.new_ones(len(parameters), 1, dtype=torch.float64) for name in ("power1", "power2")}
        return {"mean": torch.zeros_like(parameters), "square": torch.zeros_like(parameters), **powers}

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        beta1 = carried["momentum"]
        powers = carried["power1"].mul_(beta1.double()), carried["power2"].mul_(BETA2)
        mean = carried["mean"].mul_(beta1).add_(direction * (1 - beta1))
        square = carried["square"].mul_(BETA2).add_((direction * direction).mul_(1 - BETA2))
        correction1, correction2 = ((1 - power).to(beta1.dtype) for power in powers)
        step = (mean / correction1).mul_(learning_rate[:, None])
        carried["parameters"].sub_(step.div_((square / correction2).sqrt_().add_(EPS)))
