"""The loss that a rule's ``signal`` selects."""

from typing import Any

import torch
from torch import Tensor

from decaybench.schedules.base import Observation


def signalled(rule: Any, loss: Tensor, seen: Tensor, observation: Observation) -> Tensor:
    """The current loss, (k,): as observed, or its moving average with signal "ema".

    ``loss`` is the previous one and ``seen`` whether there was one, each (k,); an average starts at the first loss.
    """
    new = observation.loss.to(torch.float64)
    return averaged(rule.smoothing, loss, seen, new) if rule.signal == "ema" else new


def averaged(smoothing: Any, loss: Tensor, seen: Tensor, new: Tensor) -> Tensor:
    """The moving average, (k,), in which ``smoothing`` is the weight of the past.

    It starts at the first value, and again after a value that was not finite; otherwise it would stay NaN (0 * NaN is
    NaN, even without smoothing).
    """
    return torch.where(seen & loss.isfinite(), smoothing * loss + (1.0 - smoothing) * new, new)
