"""The loss that a rule's ``signal`` selects."""

from typing import Any

import torch
from torch import Tensor

from decaybench.schedules.base import Observation


def signalled(rule: Any, loss: Tensor, seen: Tensor, observation: Observation) -> Tensor:
    """The current loss, (k,): as observed, or with signal "ema" its average, with ``smoothing`` as weight of the past.

    ``loss`` is the previous one of these, ``seen`` whether there was one: an average starts at the first loss.
    """
    new = observation.loss.to(torch.float64)
    return averaged(rule.smoothing, loss, seen, new) if rule.signal == "ema" else new


def averaged(smoothing: Any, loss: Tensor, seen: Tensor, new: Tensor) -> Tensor:
    """The moving average, (k,), that weighs the past by ``smoothing``: it starts at the first value, and again after
    one that was not finite (0 * NaN is NaN: it would stay one, even without smoothing).
    """
    return torch.where(seen & loss.isfinite(), smoothing * loss + (1.0 - smoothing) * new, new)
