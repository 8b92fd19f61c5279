"""A link of the chain that leads from a gradient to an update.

Use only products, sums, quotients and square roots, each as an operation of its own. These are rounded correctly, so a
run's bits do not depend on its place in a vector register. (A fused multiply-add would round differently in the body of
a vector loop than in its tail.) A sum over one lane's row has the same bits at any L, too.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


class Link:
    """One link, such as weight decay or an optimizer, for L lanes at once; each method's default does nothing.

    An update passes through the chain twice: ``direct`` of all links, in turn, makes the direction from the gradient;
    then rules observe and set the learning rates; then ``step`` of all links, in turn, makes the update.

    A link holds only what all lanes share. ``carried`` is everything that belongs to lanes, by name: ``parameters``
    (L, P), ``momentum`` and ``weight_decay`` (L, 1), and what links remember. Its tensors are changed in place and
    never replaced, because a recorded CUDA graph knows them by their memory.
    """

    averages: bool = False
    """Whether ``weights`` returns other weights than the parameters."""

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        """What it remembers of lanes that start at ``parameters`` (L, P): new tensors (L, ...), by names of its own."""
        return {}

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        """The direction (L, P) from the gradient, or the direction of the links before, which may be overwritten."""
        return gradient

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        """Change ``carried``, given the direction (L, P) of the whole chain and the learning rates (L,).

        The direction may be overwritten, so links after the optimizer must not read it.
        """

    def end_epoch(self, carried: Mapping[str, Tensor], left: Tensor) -> None:
        """Change what ``carried`` remembers when an epoch ends, after which ``left`` int64 (L,) epochs follow."""

    def averaged(self, carried: Mapping[str, Tensor]) -> Tensor | None:
        """The lanes whose ``weights`` are an average now, bool (L, 1); None if there are none."""
        return carried["momentum"].new_ones(len(carried["momentum"]), 1, dtype=torch.bool) if self.averages else None

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        """The weights (L, P) to evaluate, given those of the links before (at first, the parameters)."""
        return weights
