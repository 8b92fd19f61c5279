"""Clipping of gradients by their norm."""

from collections.abc import Mapping

from torch import Tensor

from decaybench.optimizers import Link


class Clip(Link):
    """Multiply a gradient by min(1, most / (norm + 1e-6)), where norm is that of the whole gradient of a lane.

    Source: torch.nn.utils.clip_grad_norm_.
    """

    def __init__(self, most: float) -> None:
        self._most = most

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        norm = (gradient * gradient).sum(1, keepdim=True).sqrt()
        return gradient.mul_((self._most / (norm + 1e-6)).clamp(max=1.0))
