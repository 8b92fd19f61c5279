"""The order in which an epoch visits its examples."""

import torch
from torch import Tensor

from decaybench import seeds


def batch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """A permutation of 0 .. ``examples`` - 1, int64 (examples,), on the CPU; pure in (seed, epoch, examples).

    Epoch e's order needs no other epoch's, so a run can be taken up, or trained again, from any epoch.
    """
    return torch.randperm(examples, generator=seeds.generator(seed, "order", epoch))
