"""Whether the verdicts keep their guarantees, on simulated sweeps: ``python -m benchmarks.protocol``.

A whole sweep is simulated: trials with validation noise, the selection of the best one, retraining on fresh seeds,
repeats that are paired across strategies, and `decaybench.compare.judge` on the differences. The output is tables. A
guarantee is a bound on the first share in a line.

Families are judged separately, with their own level of 5%. So *either* a pair or the families claim a difference more
often than the pairs alone; the column next to it is for all of them under one Holm. Strategies whose errors have
different laws are shown without a guarantee.
"""

import argparse
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import family_means, judge, paired_interval

Array = NDArray[np.float64]

SLOTS, CONFIRM_SEEDS = 8, 2
TOP, DEPTH = 0.95, 0.2  # a strategy's best accuracy, and its loss per squared distance from the best configuration
NOISE = 0.01  # the standard deviation of accuracy, both from a seed that strategies share and from the run itself
IMAGES = 100  # the number of test images in the discrete law
DIVERGING, CHANCE = 0.1, 0.1
ROPE = 0.002
REPEATS = (5, 10, 20)
DIFFERENT = {"better", "worse", "difference shown, size unclear"}

# The observed accuracy of runs with a given expected accuracy; the standard deviation is NOISE, except in the last two.
LAWS: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "normal": lambda rng, mean: mean + NOISE * rng.standard_normal(mean.shape),
    "t3": lambda rng, mean: mean + NOISE * rng.standard_t(3, mean.shape) / 3**0.5,
    "exponential": lambda rng, mean: mean + NOISE * (1 - rng.exponential(size=mean.shape)),
    "discrete": lambda rng, mean: rng.binomial(IMAGES, np.clip(mean, 0, 1)) / IMAGES,
    "diverging": lambda rng, mean: np.where(
        rng.uniform(size=mean.shape) < DIVERGING, CHANCE, mean + NOISE * rng.standard_normal(mean.shape)
    ),
}


def confirm_runs(
    rng: np.random.Generator,
    sweeps: int,
    strategies: int,
    repeats: int,
    law: str = "normal",
    depth: float = DEPTH,
    error: str | None = None,
    seeds: int = CONFIRM_SEEDS,
) -> Array:
    """Retrained accuracies (sweeps, strategies, repeats, seeds) of the best trials of equal strategies.

    Trials are a Latin hypercube of two parameters. One is paired across strategies, like the learning rate; the other
    is the strategy's own. ``depth`` and ``error`` (a law) make the last strategy different from the others.
    """
    size = (sweeps, strategies, repeats, SLOTS)
    shared = _strata(rng, (sweeps, 1, repeats, SLOTS))
    own = _strata(rng, size)
    depths = np.full((strategies, 1, 1), DEPTH)
    depths[-1] = depth
    expected = TOP - depths * ((shared - 0.6) ** 2 + (own - 0.4) ** 2)

    def shown(mean: Array) -> Array:
        """Observed accuracies; the seeds on the last axis are shared by all strategies."""
        mean = mean + NOISE * rng.standard_normal((sweeps, 1, repeats, mean.shape[-1]))
        values = LAWS[law](rng, mean)
        if error is not None:
            values[:, -1] = LAWS[error](rng, mean[:, -1])
        return values

    winner = shown(expected).argmax(axis=-1)[..., None]
    return shown(np.repeat(np.take_along_axis(expected, winner, axis=-1), seeds, axis=-1))


def confirmed(*arguments: Any, **options: Any) -> Array:
    """Means over the confirm seeds of `confirm_runs`, (sweeps, strategies, repeats)."""
    return confirm_runs(*arguments, **options).mean(axis=-1)


def _strata(rng: np.random.Generator, size: tuple[int, ...]) -> Array:
    """One value in each of SLOTS equal parts of [0, 1), in random order."""
    order = rng.permuted(np.broadcast_to(np.arange(SLOTS), size), axis=-1)
    return (order + rng.uniform(size=size)) / SLOTS


def paired(results: Array) -> Array:
    """Differences of the first two strategies, (sweeps, repeats), rounded so that fractions of images are exact."""
    return np.round(results[:, 0] - results[:, 1], 12)


def verdicts(differences: Sequence[Array], rope: float = ROPE) -> list[str]:
    return [judged.verdict for judged in judge(differences, rope)]


class Alarms(NamedTuple):
    """Shares of sweeps of equal strategies in which any difference is claimed."""

    pairs: float
    families: float
    either: float
    one_holm: float


def alarms(rng: np.random.Generator, sweeps: int, strategies: int, repeats: int, law: str) -> Alarms:
    """The shares for pairs, for the first half of the strategies against the rest, for either, and under one Holm."""
    half, claimed = strategies // 2, []
    for sweep in confirmed(rng, sweeps, strategies, repeats, law):
        pairs = [np.round(a - b, 12) for a, b in combinations(sweep, 2)]
        families = np.round(family_means(sweep[:half]) - family_means(sweep[half:]), 12)
        claimed.append([not DIFFERENT.isdisjoint(verdicts(each)) for each in (pairs, [families], [*pairs, families])])
    of_pairs, of_families, of_all = np.array(claimed).T
    return Alarms(of_pairs.mean(), of_families.mean(), (of_pairs | of_families).mean(), of_all.mean())


def coverage(differences: Array, truth: float) -> float:
    """The share of the intervals of (sweeps, repeats) ``differences`` that contain ``truth``."""
    intervals = [paired_interval(sweep) for sweep in differences]
    return float(np.mean([low <= truth <= high for _, low, high in intervals]))


def covered(rng: np.random.Generator, sweeps: int, repeats: int, law: str) -> float:
    """Coverage if both strategies have the same law and mean (another mean would change nothing)."""
    return coverage(paired(confirmed(rng, sweeps, 2, repeats, law)), 0)


def covered_unequal(rng: np.random.Generator, sweeps: int, repeats: int, **last: Any) -> float:
    """Coverage if the second strategy has another depth or law, so that differences are skewed."""
    truth = paired(confirmed(rng, 10_000, 2, 5, **last)).mean()
    return coverage(paired(confirmed(rng, sweeps, 2, repeats, **last)), truth)


def power(rng: np.random.Generator, sweeps: int, law: str, ropes: float) -> float:
    """The share of "better" for one pair at 10 repeats, with a true difference of max(2 SD, 2 ROPE).

    SD is the standard deviation of the paired difference, and the ROPE is ``ropes`` SD.
    """
    deviation = spread(rng, law)
    rope = ropes * deviation
    differences = paired(confirmed(rng, sweeps, 2, 10, law)) + 2 * max(deviation, rope)
    return float(np.mean([verdicts([sweep], rope) == ["better"] for sweep in differences]))


class Equivalent(NamedTuple):
    """Shares of "equivalent" if the true difference equals the ROPE, and if it is 0."""

    wrong: float
    right: float


def equivalent(rng: np.random.Generator, sweeps: int, repeats: int, law: str, ropes: float) -> Equivalent:
    """The shares for one pair, with a ROPE of ``ropes`` SD (for the discrete law, the nearest number of images)."""
    rope = ropes * spread(rng, law)
    if law == "discrete":
        rope = max(round(rope * IMAGES), 1) / IMAGES
    equal = paired(confirmed(rng, sweeps, 2, repeats, law))

    def share(shift: float) -> float:
        return float(np.mean([verdicts([np.round(d + shift, 12)], rope) == ["equivalent"] for d in equal]))

    return Equivalent(share(rope), share(0))


def spread(rng: np.random.Generator, law: str) -> float:
    """The standard deviation of the paired difference."""
    return float(paired(confirmed(rng, 5_000, 2, 1, law)).std())


class Job(NamedTuple):
    """One line of a table: what is simulated, and the bounds between which its first share must lie."""

    table: str
    cells: tuple[str, ...]
    function: Callable[..., Any]
    options: dict[str, Any]
    least: float = 0.0
    most: float = 1.0


ALARMS = "law | strategies | repeats | pairs, at most 5% | families | either | all under one Holm"
COVERAGE = "law | repeats | 95% interval covers, 93.5% or more (normal: 96.5% at most)"
POWER = "law | ROPE / SD | better, 95% or more"
EQUIVALENT = "law | repeats | ROPE / SD | equivalent at the ROPE, at most 5% | equivalent at 0"
UNEQUAL = {
    "second's optimum 4 times as sharp": {"depth": 4 * DEPTH},
    "second's errors exponential": {"error": "exponential"},
    "second's runs diverge in 10%": {"error": "diverging"},
}


def jobs() -> Iterator[Job]:
    for strategies, laws in ((6, tuple(LAWS)), (15, ("normal",))):
        for law, repeats in itertools.product(laws, REPEATS):
            options = {"strategies": strategies, "repeats": repeats, "law": law}
            yield Job(ALARMS, (law, str(strategies), str(repeats)), alarms, options, most=0.05)
    for law, repeats in itertools.product(LAWS, REPEATS):
        most = 0.965 if law == "normal" else 1.0
        yield Job(COVERAGE, (law, str(repeats)), covered, {"repeats": repeats, "law": law}, 0.935, most)
    for (name, last), repeats in itertools.product(UNEQUAL.items(), REPEATS):
        yield Job(COVERAGE, (name, str(repeats)), covered_unequal, {"repeats": repeats, **last})
    for law, ropes in itertools.product(LAWS, (0.1, 1, 2)):
        yield Job(POWER, (law, str(ropes)), power, {"law": law, "ropes": ropes}, least=0.95)
    for law, repeats, ropes in itertools.product(LAWS, REPEATS, (0.5, 1, 2)):
        options = {"repeats": repeats, "law": law, "ropes": ropes}
        yield Job(EQUIVALENT, (law, str(repeats), str(ropes)), equivalent, options, most=0.05)


def shares(job: Job, sweeps: int, seed: int, number: int) -> tuple[float, ...]:
    """The job's shares, the bounded one first, from the job's own random stream."""
    found = job.function(np.random.default_rng([seed, number]), sweeps, **job.options)
    return tuple(found) if isinstance(found, tuple) else (found,)


def main() -> None:
    """Print a table per guarantee; exit with 1 if one is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lines, broken = list(jobs()), []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(shares, lines, itertools.repeat(given.sweeps), itertools.repeat(given.seed), itertools.count())
        table = None
        for job, line in zip(lines, found, strict=True):
            if job.table != table:
                table = job.table
                print(f"\n| {table} |\n|{' :-- |' * (table.count('|') + 1)}")
            kept = job.least <= line[0] <= job.most
            broken += [] if kept else [job]
            values = [f"{100 * share:.1f}%" for share in line]
            print("| " + " | ".join([*job.cells, *values]) + (" |" if kept else " | BROKEN"), flush=True)
    print(f"\n{given.sweeps} sweeps per line, seed {given.seed}: {len(broken)} guarantees broken")
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
