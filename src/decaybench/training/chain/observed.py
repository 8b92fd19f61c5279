"""What rules observe of gradients."""

from collections.abc import Mapping, Set

import torch
from torch import Tensor

from decaybench.optimizers import Link


class LastDirection(Link):
    """Remembers the direction (L, P) of the last update. It comes before the optimizer, which may overwrite it."""

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return {"last_direction": torch.zeros_like(parameters)}

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        carried["last_direction"].copy_(direction)


def observed(
    names: Set[str], carried: Mapping[str, Tensor], gradient: Tensor, direction: Tensor
) -> Mapping[str, Tensor]:
    """The products ``names`` of `schedules.base.PRODUCTS`, (L,) float64 each.

    ``gradient`` (L, P) is that of the unregularised loss, and ``direction`` (L, P) what the chain made of it.
    """
    others = {"grad_norm_sq": gradient, "grad_dot_direction": direction}
    if "last_direction" in carried:
        others["grad_dot_previous"] = carried["last_direction"]
    # A sum over one lane's row has the same bits at any L.
    return {name: (gradient * others[name]).sum(1).double() for name in names}
