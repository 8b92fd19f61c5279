"""The number of operations per training sample."""

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.work import Work, load
from decaybench import models


def flops_per_sample(work: Work) -> float:
    """Floating-point operations of one forward and backward pass for one example; a multiply-add counts as two.

    Only convolutions and linear layers count. torch counts what is computed, so the gradient of the images, which is
    not computed, is not included.
    """
    data = load(work)
    model = models.build(work.model, data.shape, data.classes, 0)
    with FlopCounterMode(display=False) as counter:
        loss = F.cross_entropy(model(torch.zeros(2, *data.shape)), torch.zeros(2, dtype=torch.int64))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return float(counter.get_total_flops()) / 2
