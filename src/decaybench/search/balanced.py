"""The balanced, paired sampler: every strategy gets as many trials, and trial i has the same shared point for all."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from scipy.stats import qmc

from decaybench.search.slot import Slot, Told
from decaybench.search.space import STRATEGY, Space, to_study
from decaybench.seeds import derive
from decaybench.shared import SHARED

Points = Literal["sobol", "random"]

# The first shared parameters are coordinates 0, 1, ... of one sequence, each by its place, so that two strategies agree
# on it even when one of them fixes another. A sequence of more coordinates would be another scramble, and move the
# points of every sweep that was begun. So what is shared since then takes a coordinate of a scramble of its own name,
# from APART on by its place.
TOGETHER: Final = 3
# No two parameters take the same coordinate, since coordinate j of two scrambles of one Sobol sequence are functions of
# each other: such a pair would fill a diagonal of its plane only. A strategy's own parameters lie between these two.
APART: Final = 32


def point(seed: int, repeat: int, label: str, slot: int, space: Space, points: Points = "sobol") -> dict[str, Any]:
    """The parameters of one trial, in range units by dimension name: a pure function of its arguments.

    Shared dimensions take point ``slot`` of sequences of the repeat, the same for every strategy and mapped through the
    strategy's own ranges; own dimensions take it from a sequence of the label's own. No order, clock, stack or number
    of workers enters. Source of "sobol": Owen-scrambled Sobol points, ``scipy.stats.qmc.Sobol``; "random" points are
    uniform and independent, of numpy's PCG64.
    """
    unit = _UNIT[points]
    together = unit(derive(seed, "shared", repeat), TOGETHER, slot)
    places = {shared.dimension: place for place, shared in enumerate(SHARED)}

    def shared_coordinate(name: str) -> float:
        place = places[name]
        if place < TOGETHER:
            return float(together[place])
        place += APART - TOGETHER
        return float(unit(derive(seed, "shared", repeat, name), place + 1, slot)[place])

    width = TOGETHER + sum(d.range.dims for d in space if not d.shared)
    own = unit(derive(seed, "own", repeat, label), width, slot)[TOGETHER:]
    values: dict[str, Any] = {}
    used = 0
    for dimension in space:
        if dimension.shared:
            values[dimension.name] = dimension.range.at([shared_coordinate(dimension.name)])
        else:
            width = dimension.range.dims
            values[dimension.name] = dimension.range.at([float(u) for u in own[used : used + width]])
            used += width
    return values


def uniform(seed: int, dims: int, slot: int) -> NDArray[np.float64]:
    """Point ``slot`` of a sequence of uniform points in [0, 1)^dims, (dims,): a stream of its own for every slot."""
    return np.random.default_rng([seed, slot]).random(dims)


def _sobol(seed: int, dims: int, slot: int) -> NDArray[np.float64]:
    # A longer sequence begins with the shorter one, so raising `trials` later moves no earlier trial.
    points = _sequence(seed, dims, math.ceil(math.log2(slot + 1)))
    return np.asarray(points[slot])


@lru_cache(maxsize=128)
def _sequence(seed: int, dims: int, exponent: int) -> NDArray[np.float64]:
    if dims == 0:
        return np.empty((2**exponent, 0))
    points: NDArray[np.float64] = qmc.Sobol(dims, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)
    return points


_UNIT: Final[Mapping[Points, Callable[[int, int, int], NDArray[np.float64]]]] = {"sobol": _sobol, "random": uniform}


class BalancedSampler(BaseSampler):
    """Proposes ``point``, "sobol" or "random", to the runner; the same as an Optuna sampler.

    ``spaces`` maps labels, in file order, to their search spaces. To Optuna, a trial's user attributes ``strategy``,
    ``repeat`` and ``slot`` say which point is its; a trial without them (another study's, a notebook's) is drawn at
    random.
    """

    def __init__(self, spaces: Mapping[str, Space], seed: int, points: Points = "sobol") -> None:
        self._spaces = dict(spaces)
        self._seed = seed
        self._points = points
        self._random = RandomSampler(seed=seed & 0xFFFFFFFF)

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's point; it does not learn from ``history``."""
        return self._point(slot.strategy, slot.repeat, slot.slot)

    def reseed_rng(self) -> None:
        """Only the random fall-back has a state to reseed; the points are pure."""
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The strategy and its parameters at this trial's point."""
        return self._at(trial)[1]

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """This trial's point, as the study's parameters."""
        params = self._at(trial)[0]
        return {name: params[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter of a foreign trial: at random."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _at(self, trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        attributes = trial.user_attrs
        label = attributes.get(STRATEGY)
        if label not in self._spaces:
            return {}, {}
        space = self._spaces[label]
        values = self._point(label, attributes["repeat"], attributes["slot"])
        params, distributions = to_study(space, values)
        return (
            {STRATEGY: label, **params},
            {STRATEGY: CategoricalDistribution(tuple(self._spaces)), **distributions},
        )

    def _point(self, label: str, repeat: int, slot: int) -> dict[str, Any]:
        return point(self._seed, repeat, label, slot, self._spaces[label], self._points)
