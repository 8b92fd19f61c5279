"""The order in which an epoch visits its examples."""

import torch
from torch import Tensor

from decaybench import seeds


def batch_order(seed: int, epoch: int, examples: int) -> Tensor:
    """A permutation of 0 .. ``examples`` - 1, int64 (examples,), on the CPU; a pure function of its arguments.

    An epoch's order does not depend on earlier epochs, so a run can be resumed or trained again from any epoch.
    """
    return torch.randperm(examples, generator=seeds.generator(seed, "order", epoch))
