"""Another run's learning rates as a fixed schedule, for replays. It is not in ``SCHEDULES``: no strategy can use it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, number


@dataclass(frozen=True)
class Recorded(Fixed):
    """scale(t) = scales[t], and the last one after the end.

    ``scales`` has one number per update. In a bank, all recorded schedules must have the same number.
    """

    scales: Param = number("[0, inf)", pad=math.inf)

    def at(self, clock: Clock) -> Tensor:
        scales = torch.as_tensor(self.scales, dtype=torch.float64, device=clock.step.device)
        index = clock.step.clamp(max=scales.shape[-1] - 1).long()
        if scales.ndim == 1:
            return scales[index]
        return scales.gather(1, index.expand(len(scales))[:, None])[:, 0]
