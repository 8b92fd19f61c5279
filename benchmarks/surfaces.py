"""Simulated strategies: a surface over the learning rate and one parameter of their own, and how runs scatter about it.

Repeats are fresh scrambles: trial i has the same learning rate's coordinate and the same seed for all strategies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks import scrambles
from benchmarks.scrambles import Array
from decaybench.compare.pooled import Trials

TOP, CHANCE, FAILED = 0.95, 0.1, 0.3  # the best accuracy, that of a diverged run, and what a failed run loses
IMAGES = 1000  # tested on
SEED, RUN, SPLIT = 0.004, 0.008, 0.006  # deviations: of a seed for all strategies, of one run, of one split's images
TRUTH = 20_000  # repeats that a true theta is computed from


@dataclass(frozen=True)
class Surface:
    """A strategy: its accuracy falls by ``depth`` times the squared distance from ``best``, (learning rate, own).

    Shares ``fails`` and ``diverges`` of its runs do; "skewed" errors are exponential to the left. ``searched`` is
    False for a strategy of one configuration; ``copies`` names another strategy whose runs it has, by its index.
    """

    best: tuple[float, float] = (0.6, 0.4)
    depth: tuple[float, float] = (0.4, 0.1)
    law: Literal["normal", "skewed"] = "normal"
    fails: float = 0.0
    diverges: float = 0.0
    searched: bool = True
    copies: int | None = None


def draw(rng: np.random.Generator, strategies: Sequence[Surface], offsets: Array, n: int, repeats: int) -> list[Trials]:
    """The trials of a sweep; ``offsets`` (S,) are added to the accuracies of runs that did not diverge."""
    rates = scrambles.shared(n)[rng.integers(scrambles.STORED, size=repeats)]
    seeds = SEED * rng.standard_normal((repeats, n))
    found: list[Trials] = []
    for surface, offset in zip(strategies, offsets, strict=True):
        if surface.copies is not None:
            found.append(found[surface.copies])
            continue
        mean = np.full((repeats, n), TOP + offset)
        if surface.searched:
            own = scrambles.own(n, 1)[rng.integers(scrambles.STORED, size=repeats), :, 0]
            mean -= surface.depth[0] * (rates - surface.best[0]) ** 2 + surface.depth[1] * (own - surface.best[1]) ** 2
        mean -= FAILED * (rng.random(mean.shape) < surface.fails)
        mean += seeds + RUN * _errors(rng, surface.law, mean.shape)
        validation, test = (mean + SPLIT * _errors(rng, surface.law, mean.shape) for _ in range(2))
        diverged = rng.random(mean.shape) < surface.diverges
        validation[diverged] = test[diverged] = CHANCE
        pooling = "strata" if surface.searched else "independent"
        found.append(Trials(validation, 1 - validation, test, pooling, rates if surface.searched else None))
    return found


def truth(surface: Surface, n: int) -> float:
    """Theta, without an offset: of one pool of very many scrambles."""
    (trials,) = draw(np.random.default_rng(n), [surface], np.zeros(1), n, TRUTH)
    return float(trials.weights @ trials.test.ravel())


def deviation(surface: Surface, n: int) -> float:
    """The standard deviation of the test result of a repeat's winner."""
    (trials,) = draw(np.random.default_rng(n), [surface], np.zeros(1), n, TRUTH)
    return float(trials.test[np.arange(TRUTH), trials.winners].std())


def different(strategies: int, **options: object) -> list[Surface]:
    """Surfaces that differ in where their best setting is and in how sharp it is."""
    rng = np.random.default_rng(strategies)
    return [
        Surface(
            best=(rng.uniform(0.35, 0.75), rng.uniform(0.2, 0.8)),
            depth=(rng.uniform(0.1, 1.0), rng.uniform(0.0, 0.3)),
            **options,  # type: ignore[arg-type]
        )
        for _ in range(strategies)
    ]


def _errors(rng: np.random.Generator, law: str, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape) if law == "normal" else 1 - rng.exponential(size=shape)
