"""Whether a sweep's statements keep their promises, on simulated surfaces: ``python -m benchmarks.protocol``.

Whole sweeps are drawn as `benchmarks.surfaces` has it, and `decaybench.compare` looks at them as it does in a real
one. True thetas come from very many scrambles. A promise counts as broken where a share is beyond its bound by more
than three standard errors of a share at that bound, and a mean by more than three of its own: even if every promise
were kept to the letter and no better, one run in ten or so would report a break.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from benchmarks.scrambles import Array
from benchmarks.surfaces import CHANCE, IMAGES, Surface, deviation, different, draw, truth
from benchmarks.sweeps import TO, extended, play, to_the_end, wrong
from decaybench.compare.contest import Contest
from decaybench.compare.decision import MARGIN_OF_SPREAD
from decaybench.compare.pooled import Trials

FINEST = 1 / (2 * IMAGES)
MOST = 11  # strategies of a line
SPENT_BY = 18  # where nothing stops early: most of the error is spent at few repeats, where t is least exact
SIZES = (2, 6, MOST)  # how many of a line's strategies compete: the first ones, on the same trials
CHUNK = 25  # sweeps that a process simulates at a time


@dataclass(frozen=True)
class Promise:
    """A bound on a share of sweeps, or on a mean (``share`` False); without either limit it is only printed."""

    name: str
    least: float | None = None
    most: float | None = None
    share: bool = True

    def kept(self, values: Array) -> bool:
        """Whether the mean of the sweeps' ``values`` is within the bounds, give or take three standard errors."""

        def error(bound: float) -> float:
            deviation = np.sqrt(bound * (1 - bound)) if self.share else values.std(ddof=1)
            return float(deviation / np.sqrt(len(values)))

        found = float(values.mean())
        low = self.least is None or found >= self.least - 3 * error(self.least)
        return low and (self.most is None or found <= self.most + 3 * error(self.most))

    def __str__(self) -> str:
        limits = [(self.least, "or more"), (self.most, "at most")]
        return ", ".join([self.name, *(f"{said} {self.shown(bound)}" for bound, said in limits if bound is not None)])

    def shown(self, value: float) -> str:
        """The value as it is printed."""
        return f"{100 * value:.1f}%" if self.share else f"{value:,.0f}"


@dataclass(frozen=True)
class Line:
    """Lines of a table: strategies and their true thetas relative to the best, and what is measured of a sweep.

    Every one of ``sizes`` is a line of its own, on so many of the strategies.
    """

    name: str
    strategies: tuple[Surface, ...]
    n: int
    measure: Callable[[Sequence[Trials], Array, float], tuple[float, ...]]
    promises: tuple[Promise, ...]
    behind: tuple[float, ...] = ()  # by how many deviations of a winner's result each is behind; () where all are equal
    repeats: int = SPENT_BY
    sizes: tuple[int, ...] = SIZES


_truth, _deviation = cache(truth), cache(deviation)


def simulate(line: Line, sweeps: int, seed: Sequence[int]) -> Array:
    """The measures of so many sweeps, (sweeps, sizes, promises)."""
    surfaces = [s if s.copies is None else line.strategies[s.copies] for s in line.strategies]
    thetas = np.array([_truth(surface, line.n) for surface in surfaces])
    spread = float(np.median([_deviation(surface, line.n) for surface in surfaces]))
    wanted = -spread * np.array(line.behind or [0.0] * len(thetas))
    shift = np.where([s.diverges == 1 for s in surfaces], 0.0, thetas.max() + wanted - thetas)
    rng, found = np.random.default_rng(seed), []
    for _ in range(sweeps):
        trials = draw(rng, line.strategies, shift, line.n, line.repeats)
        found.append([line.measure(trials[:size], wanted[:size], spread) for size in line.sizes])
    return np.array(found, dtype=float)


def statements(trials: Sequence[Trials], thetas: Array, spread: float) -> tuple[float, ...]:
    """Whether any pair is wrongly shown, and any bound wrong, at any look."""
    return wrong(to_the_end(trials, FINEST, trials[0].repeats), thetas)


def tempted(contest: Contest, thetas: Array, spread: float) -> bool:
    """Whether an adversary who knows the truth sees an error coming: a pair nearly shown, or a bound nearly wrong."""
    near = contest.bounds - (thetas.max() - thetas) < 0.2 * spread
    return bool(np.nanmin(contest.adjusted) < 0.3 or near[thetas < thetas.max()].any())


def to_an_adversary(trials: Sequence[Trials], thetas: Array, spread: float) -> tuple[float, ...]:
    """The same where an adversary chooses how far the sweep goes."""
    return wrong(extended(trials, FINEST, partial(tempted, thetas=thetas, spread=spread), trials[0].repeats), thetas)


def pick(trials: Sequence[Trials], thetas: Array, spread: float) -> tuple[float, ...]:
    """Whether the pick is worse than the margin, and whether there is one; the margin is that of a typical sweep."""
    found = play(trials, FINEST, "one", CHANCE, margin=MARGIN_OF_SPREAD * spread)
    bad = found.pick is not None and thetas.max() - thetas[found.pick] > MARGIN_OF_SPREAD * spread
    return bad, found.pick is not None


def settled(trials: Sequence[Trials], thetas: Array, spread: float) -> tuple[float, ...]:
    """Whether a sweep settles with its own default margin, its trainings, and whether its pick is worse than that."""
    found = play(trials, FINEST, "one", CHANCE)
    bad = found.pick is not None and thetas.max() - thetas[found.pick] > found.margin
    return found.settled, found.trainings, bad


WRONG = (Promise("any pair wrongly shown", most=0.05), Promise("any wrong bound", most=0.05))
LEAST_FAVOURABLE = (WRONG[0], Promise("any wrong bound", most=0.065))
TOLD = tuple(replace(promise, most=None) for promise in WRONG)
PICK = (Promise("pick worse than the margin", most=0.05), Promise("a pick"))
SETTLED = (
    Promise("settled", least=0.95),
    Promise("trainings", most=1100, share=False),
    Promise("pick worse than its margin", most=0.05),
)
SETTLED_EQUALS = (Promise("settled"), Promise("trainings", share=False), SETTLED[2])


def equals() -> Iterator[tuple[str, list[Surface]]]:
    """Strategies whose thetas are made equal, however different they are."""
    yield "one surface", [Surface()] * MOST
    yield "different surfaces", different(MOST)
    yield "runs fail in 5%", different(MOST, fails=0.05)
    yield "a tenth diverges", different(MOST, diverges=0.1)
    yield "left-skewed errors", different(MOST, law="skewed")
    for share in (0.01, 0.05, 0.2):
        single = Surface(searched=False, fails=share)
        yield f"one configuration, fails in {share:.0%}", [single, *different(MOST - 1)]
    yield "everything diverged", [Surface(diverges=1.0)] * MOST
    surfaces = different(MOST)
    yield "identical runs", [replace(s, copies=i - 1 if i % 2 else None) for i, s in enumerate(surfaces)]


def lines() -> Iterator[Line]:
    """Every line, those of one table one after the other."""
    step, several = 1.05 * MARGIN_OF_SPREAD, (6, MOST)
    for name, surfaces in equals():
        for n in (6, 8):
            yield Line(name, tuple(surfaces), n, statements, WRONG)
    yield Line("different surfaces, extended by an adversary", tuple(different(MOST)), 8, to_an_adversary, WRONG)
    skewed, ahead = (Surface(law="skewed"),) * MOST, (0.0, *[5.0] * (MOST - 1))
    for n in (6, 8):
        yield Line("one 5 SD ahead of equal left-skewed ones", skewed, n, statements, LEAST_FAVOURABLE, ahead)
    yield Line("the same, extended by an adversary", skewed, 8, to_an_adversary, LEAST_FAVOURABLE, ahead)
    for n in (4, 16):
        yield Line("different surfaces", tuple(different(6)), n, statements, TOLD, sizes=(6,))
    for n in (6, 8):
        surfaces, one = tuple(different(MOST)), (0.0, *[step] * (MOST - 1))
        stairs = tuple(step * i for i in range(MOST))
        yield Line("best ahead by 1.05 margins", surfaces, n, pick, PICK, one, TO, several)
        yield Line("steps of 1.05 margins", surfaces, n, pick, PICK, stairs, TO, several)
    thirds = tuple(MARGIN_OF_SPREAD * i / 3 for i in range(MOST))
    yield Line("steps of a third of a margin", surfaces, 8, settled, SETTLED, thirds, TO, (MOST,))
    yield Line("all equal", surfaces, 8, settled, SETTLED_EQUALS, repeats=TO, sizes=(MOST,))


def main() -> None:
    """Print a line for each scenario; exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=2000, help="per line (default: 2000)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    table, broken = None, 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        every = list(lines())
        chunks = [min(CHUNK, given.sweeps - first) for first in range(0, given.sweeps, CHUNK)]
        jobs = [(i, c) for i in range(len(every)) for c in range(len(chunks))]
        found = pool.map(
            simulate,
            [every[i] for i, _ in jobs],
            [chunks[c] for _, c in jobs],
            [(given.seed, i, c) for i, c in jobs],
        )
        for line in every:
            values = np.concatenate([next(found) for _ in chunks])
            if line.promises != table:
                table = line.promises
                print("\n| scenario | n | strategies | " + " | ".join(map(str, table)) + " |")
                print("| :-- | --: | --: |" + " --: |" * len(table))
            for size, found_of in zip(line.sizes, values.swapaxes(0, 1), strict=True):
                kept = [promise.kept(found_of[:, i]) for i, promise in enumerate(table)]
                broken += kept.count(False)
                means = zip(table, found_of.mean(axis=0), kept, strict=True)
                cells = [promise.shown(mean) + ("" if good else " BROKEN") for promise, mean, good in means]
                print(f"| {line.name} | {line.n} | {size} | {' | '.join(cells)} |", flush=True)
    print(f"\n{given.sweeps} sweeps per line, seed {given.seed}: {broken} promises broken")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
