"""The balanced, paired sampler: every strategy gets the same slots, and slot i the same point wherever strategies
agree.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from scipy.stats import qmc

from decaybench.search.space import STRATEGY, Space, to_study
from decaybench.seeds import derive

# A shared parameter has its coordinate by name, so that two strategies agree on it even when one of them fixes another.
SHARED = ("learning_rate", "one_minus_momentum", "weight_decay")


def point(seed: int, repeat: int, label: str, slot: int, space: Space) -> dict[str, Any]:
    """The parameters of one slot, in range units by dimension name: a pure function of its arguments.

    Shared dimensions take slot ``slot`` of one scrambled Sobol sequence per repeat, the same for every strategy and
    mapped through the strategy's own ranges; own dimensions take it from a scramble of the label's own. No order,
    clock, stack or number of workers enters. Source: Owen-scrambled Sobol points, ``scipy.stats.qmc.Sobol``.
    """
    shared = _sobol(derive(seed, "shared", repeat), len(SHARED), slot)
    own = _sobol(derive(seed, "own", repeat, label), sum(d.range.dims for d in space if not d.shared), slot)
    values: dict[str, Any] = {}
    used = 0
    for dimension in space:
        if dimension.shared:
            values[dimension.name] = dimension.range.at([float(shared[SHARED.index(dimension.name)])])
        else:
            width = dimension.range.dims
            values[dimension.name] = dimension.range.at([float(u) for u in own[used : used + width]])
            used += width
    return values


def _sobol(seed: int, dims: int, slot: int) -> NDArray[np.float64]:
    # A longer sequence begins with the shorter one, so raising `trials` later moves no earlier slot.
    points = _sequence(seed, dims, math.ceil(math.log2(slot + 1)))
    return np.asarray(points[slot])


@lru_cache(maxsize=128)
def _sequence(seed: int, dims: int, exponent: int) -> NDArray[np.float64]:
    if dims == 0:
        return np.empty((2**exponent, 0))
    points: NDArray[np.float64] = qmc.Sobol(dims, scramble=True, rng=np.random.default_rng(seed)).random_base2(exponent)
    return points


class BalancedSampler(BaseSampler):
    """The same as an Optuna sampler: a trial's user attributes ``strategy``, ``repeat`` and ``slot`` say which point
    is its.

    ``spaces`` maps labels, in file order, to their search spaces. A trial without these attributes (another study's, a
    notebook's) is drawn at random.
    """

    def __init__(self, spaces: Mapping[str, Space], seed: int) -> None:
        self._spaces = dict(spaces)
        self._seed = seed
        self._random = RandomSampler(seed=seed & 0xFFFFFFFF)

    def reseed_rng(self) -> None:
        """Only the random fall-back has a state to reseed; the points are pure."""
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The strategy and its parameters at this trial's slot."""
        return self._at(trial)[1]

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """This slot's point, as the study's parameters."""
        params = self._at(trial)[0]
        return {name: params[name] for name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter that no slot knows: at random."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _at(self, trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        attributes = trial.user_attrs
        label = attributes.get(STRATEGY)
        if label not in self._spaces:
            return {}, {}
        space = self._spaces[label]
        values = point(self._seed, attributes["repeat"], label, attributes["slot"], space)
        params, distributions = to_study(space, values)
        return (
            {STRATEGY: label, **params},
            {STRATEGY: CategoricalDistribution(tuple(self._spaces)), **distributions},
        )
