"""The loss."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Each example's cross-entropy in nats, ``(K, B)``, from logits ``(K, B, C)`` and labels ``(K, B)``.

    ``smoothing`` is the share of the target that is spread evenly over all classes.

    bf16 logits are widened first: a loss with eight bits of mantissa is too coarse for a loss-reactive learning rate.
    """
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    flat = wide.flatten(0, 1), labels.flatten()
    return F.cross_entropy(*flat, reduction="none", label_smoothing=smoothing).view(labels.shape)
