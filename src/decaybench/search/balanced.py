"""The balanced, paired sampler: every strategy gets equally many trials, and trial i shares its point among them."""

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

# The first TOGETHER shared parameters take coordinates 0, 1, 2 of one sequence. Each keeps its coordinate even in a
# strategy that fixes another one, so that strategies always agree on it. More coordinates would change the scramble and
# so the points of every sweep that has begun. A shared parameter added later therefore has a scramble of its own,
# seeded with its name, and takes a coordinate from APART on.
TOGETHER: Final = 3
# No two parameters use the same coordinate j: in two scrambles of one Sobol sequence, coordinate j of one is a function
# of coordinate j of the other, and the pair would not fill its plane. A strategy's own parameters use the coordinates
# between TOGETHER and APART.
APART: Final = 32


def point(seed: int, repeat: int, label: str, slot: int, space: Space, points: Points = "sobol") -> dict[str, Any]:
    """The parameters of one trial, in range units by dimension name: a pure function of its arguments.

    Shared dimensions use point ``slot`` of the repeat's sequences. It is the same for every strategy, and mapped
    through the strategy's own ranges. A strategy's own dimensions use point ``slot`` of a sequence seeded with its
    label. The order, time, stack and number of workers do not matter.

    "sobol" points are Owen-scrambled (source: ``scipy.stats.qmc.Sobol``); "random" points are uniform and independent,
    from numpy's PCG64.
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
    """Point ``slot`` of a sequence of uniform points in [0, 1)^dims, (dims,); every slot has its own random stream."""
    return np.random.default_rng([seed, slot]).random(dims)


def _sobol(seed: int, dims: int, slot: int) -> NDArray[np.float64]:
    # A longer sequence begins with the shorter one, so raising `trials` later does not move earlier trials.
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
    """Proposes ``point``, both to the runner and, as a sampler, to Optuna.

    ``spaces`` maps labels, in file order, to search spaces; ``points`` is "sobol" or "random". As an Optuna sampler, it
    finds a trial's point by the user attributes ``strategy``, ``repeat`` and ``slot``. A trial without them, such as
    one from a notebook, is drawn at random.
    """

    def __init__(self, spaces: Mapping[str, Space], seed: int, points: Points = "sobol") -> None:
        self._spaces = dict(spaces)
        self._seed = seed
        self._points = points
        self._random = RandomSampler(seed=seed & 0xFFFFFFFF)

    def propose(self, slot: Slot, history: Sequence[Told]) -> dict[str, Any]:
        """The trial's parameters, in range units by dimension name; ``history`` is ignored."""
        return self._point(slot.strategy, slot.repeat, slot.slot)

    def reseed_rng(self) -> None:
        """Reseed the random fallback; points do not depend on any state."""
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
        """A parameter of a trial that decaybench did not make, drawn at random."""
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
