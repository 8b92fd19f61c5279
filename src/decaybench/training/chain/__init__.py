"""The chain from a gradient to an update, made once from the recipe.

Its links come in this order: weight decay, the last direction, the optimizer. What the runs of a stack do without is
not in their chain. To add a link, write a `Link` in a file of its own and list it in `make_chain`. Its place matters:
clipping comes before weight decay, decoupled weight decay before the optimizer, and an average of the parameters after
it.

Rules observe the loss and the gradient before any link (``observed``); training uses what the chain makes of them.
"""

from collections.abc import Mapping, Sequence, Set

from torch import Tensor

from decaybench.optimizers import OPTIMIZERS, Link
from decaybench.training.carried import Carried
from decaybench.training.chain.decay import WeightDecay, decays
from decaybench.training.chain.observed import LastDirection, observed
from decaybench.training.recipe import Recipe, Run

__all__ = ["Chain", "decays", "make_chain", "observed"]


class Chain(Link):
    """Links as one: each of its methods is that of all of them, in turn."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = tuple(links)

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return Carried(*(link.memory(parameters) for link in self._links))

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        for link in self._links:
            gradient = link.direct(carried, gradient)
        return gradient

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        for link in self._links:
            link.step(carried, direction, learning_rate)

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        for link in self._links:
            weights = link.weights(carried, weights)
        return weights


def make_chain(recipe: Recipe, runs: Sequence[Run], decaying: Tensor, observes: Set[str]) -> Chain:
    """The chain of a stack with these ``runs``.

    ``decaying`` (P,) is 1 where weight decay applies, else 0. ``observes`` names the products of gradients that a rule
    observes. Raises KeyError if the optimizer is not in ``OPTIMIZERS``.
    """
    links: list[Link] = []
    if any(run.weight_decay > 0 for run in runs):
        links.append(WeightDecay(decaying))
    if "grad_dot_previous" in observes:
        links.append(LastDirection())
    return Chain([*links, OPTIMIZERS[recipe.form.kind](recipe.form)])
