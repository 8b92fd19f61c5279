"""Weight decay."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from decaybench.optimizers import Link


class WeightDecay(Link):
    """Coupled weight decay, as in torch: wd·w is added to the gradient where ``decaying`` (P,) is 1."""

    def __init__(self, decaying: Tensor) -> None:
        self._decaying = decaying

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        return gradient.add_(carried["parameters"] * self._decaying * carried["weight_decay"])


class DecoupledDecay(Link):
    """Decoupled weight decay, as in torch's AdamW: w *= 1 - lr·wd where ``decaying`` (P,) is 1, before the step."""

    def __init__(self, decaying: Tensor) -> None:
        self._decaying = decaying

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        share = learning_rate[:, None] * carried["weight_decay"]
        carried["parameters"].mul_(1 - self._decaying * share)


def decays(model: nn.Module, *, biases: bool) -> Tensor:
    """A mask ``(P,)``: 1 where weight decay applies, 0 where it does not (on biases, if ``biases`` is false)."""
    return torch.cat([torch.full((p.numel(),), float(biases or p.ndim > 1)) for p in model.parameters()])
