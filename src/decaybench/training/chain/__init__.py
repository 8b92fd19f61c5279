"""The chain from a gradient to an update, made once from the recipe.

Its links come in this order: clipping, weight decay, the last direction, the optimizer, the average of the weights.
What the runs of a stack do without is not in their chain. To add a link, write a `Link` in a file of its own and list
it in `make_chain`, where its place matters.

Rules observe the loss and the gradient before any link (``observed``); training uses what the chain makes of them.
"""

from collections.abc import Mapping, Sequence, Set

from torch import Tensor

from decaybench.optimizers import OPTIMIZERS, Link
from decaybench.training.carried import Carried
from decaybench.training.chain.average import averaging
from decaybench.training.chain.clip import Clip
from decaybench.training.chain.decay import DecoupledDecay, WeightDecay, decays
from decaybench.training.chain.observed import LastDirection, observed
from decaybench.training.recipe import Recipe, Run

__all__ = ["Chain", "decays", "make_chain", "observed"]


class Chain(Link):
    """Links as one: each of its methods is that of all of them, in turn."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = tuple(links)
        self.averages = any(link.averages for link in links)

    def memory(self, parameters: Tensor) -> Mapping[str, Tensor]:
        return Carried(*(link.memory(parameters) for link in self._links))

    def direct(self, carried: Mapping[str, Tensor], gradient: Tensor) -> Tensor:
        for link in self._links:
            gradient = link.direct(carried, gradient)
        return gradient

    def step(self, carried: Mapping[str, Tensor], direction: Tensor, learning_rate: Tensor) -> None:
        for link in self._links:
            link.step(carried, direction, learning_rate)

    def end_epoch(self, carried: Mapping[str, Tensor], left: Tensor) -> None:
        for link in self._links:
            link.end_epoch(carried, left)

    def averaged(self, carried: Mapping[str, Tensor]) -> Tensor | None:
        found = (link.averaged(carried) for link in self._links)
        return next((lanes for lanes in found if lanes is not None), None)

    def weights(self, carried: Mapping[str, Tensor], weights: Tensor) -> Tensor:
        for link in self._links:
            weights = link.weights(carried, weights)
        return weights


def make_chain(recipe: Recipe, runs: Sequence[Run], decaying: Tensor, observes: Set[str]) -> Chain:
    """The chain of a stack with these ``runs``.

    ``decaying`` (P,) is 1 where weight decay applies, else 0. ``observes`` names the products of gradients that a rule
    observes. Raises KeyError if the optimizer is not in ``OPTIMIZERS``.
    """
    form, links = recipe.form, list[Link]()
    optimizer = OPTIMIZERS[form.kind]
    if recipe.clip_norm is not None:
        links.append(Clip(recipe.clip_norm))
    if any(run.weight_decay > 0 for run in runs):
        links.append((DecoupledDecay if optimizer.decoupled else WeightDecay)(decaying))
    if "grad_dot_previous" in observes:
        links.append(LastDirection())
    links.append(optimizer(form))
    if form.average is not None:
        links.append(averaging(form.average))
    return Chain(links)
