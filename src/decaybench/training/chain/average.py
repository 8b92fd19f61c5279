"""Averages of the weights, which are evaluated in their place."""

from collections.abc import Mapping

import torch
from torch import Tensor

from decaybench.optimizers import Average, Link


class Ema(Link):
    """The exponential moving average d·avg + (1 - d)·w after each update, from the initial weights on.

    Source: torch.optim.swa_utils.get_ema_multi_avg_fn.
    """

    averages = True

    def __init__(self, decay: float) -> None:
        self._decay = decay

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return {"average": parameters.clone()}

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        carried["average"].mul_(self._decay).add_(carried["parameters"] * (1 - self._decay))

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        return carried["average"]


class LastEpochs(Link):
    """The mean of the weights at the ends of a lane's last ``epochs`` epochs; before, the weights themselves.

    Source: Izmailov et al. 2018 (SWA); torch.optim.swa_utils.AveragedModel.
    """

    averages = True

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._begun = False

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return {"average": torch.zeros_like(parameters), "averaged": parameters.new_zeros(len(parameters), 1)}

    def end_epoch(self, carried: Mapping[str, Tensor], left: Tensor) -> None:
        average, takes = carried["average"], (left < self._epochs)[:, None]
        self._begun = self._begun or bool(takes.any())
        count = carried["averaged"].add_(takes)
        change = (carried["parameters"] - average) / count
        average.add_(torch.where(takes, change, 0.0))

    def averaged(self, carried: Mapping[str, Tensor]) -> Tensor | None:
        return carried["averaged"] > 0 if self._begun else None

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        return torch.where(carried["averaged"] > 0, carried["average"], weights)


def averaging(average: Average) -> Link:
    """The link that keeps this average."""
    if average.ema is not None:
        return Ema(average.ema)
    assert average.last is not None
    return LastEpochs(average.last)
