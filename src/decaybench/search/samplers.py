"""The sampler of a sweep, from the names in its [search] table."""

from collections.abc import Mapping
from typing import Literal

from decaybench.search.adaptive import AdaptiveRandom, AdaptiveTPE
from decaybench.search.balanced import BalancedSampler
from decaybench.search.slot import AdaptiveSampler, Sampler
from decaybench.search.space import Space
from decaybench.search.tpe import BatchedTPE, Direction


def balanced_sampler(
    kind: Literal["sobol", "random", "tpe"], spaces: Mapping[str, Space], seed: int, batch: int, direction: Direction
) -> Sampler:
    """The sampler of a sweep in which every strategy has its own trials; only "tpe" uses ``batch``, ``direction``."""
    return BatchedTPE(spaces, seed, batch, direction) if kind == "tpe" else BalancedSampler(spaces, seed, kind)


def adaptive_sampler(
    kind: Literal["sobol", "random", "tpe"], spaces: Mapping[str, Space], seed: int, batch: int, direction: Direction
) -> AdaptiveSampler:
    """The sampler of a sweep whose strategies share their trials; ValueError for "sobol", which cannot choose them."""
    if kind == "sobol":
        raise ValueError("sobol cannot choose strategies")
    return AdaptiveTPE(spaces, seed, batch, direction) if kind == "tpe" else AdaptiveRandom(spaces, seed)
