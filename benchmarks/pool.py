"""Whether a sweep's statements keep their promises on trials that were really trained: ``python -m benchmarks.pool``.

The first time it trains the pool (`benchmarks.trained`); a pool that is not complete is gone on with. Then it draws
whole sweeps: a repeat is a fresh scramble, whose points are mapped to the nearest ones of the pool, and a trial has one
of the pool's seeds at random, the same for all strategies. A promise counts as broken as in `benchmarks.protocol`.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree
from scipy.special import stdtrit

from benchmarks import first_version, scrambles, trained
from benchmarks.protocol import CHUNK, Promise
from benchmarks.scrambles import Array
from benchmarks.sweeps import TO, play, to_the_end, wrong
from decaybench.compare.contest import Contest
from decaybench.compare.looks import Look
from decaybench.compare.pooled import Trials
from decaybench.data.cache import cache_folder

SIZES = (6, 8)  # trials per repeat
TRUTH = 20_000  # repeats that a true theta is computed from
REPEATS, COMPARED_AT = 10, 8  # of the comparison with the first version, and its trials
LEVELS = (0.05, 0.01)
POOL = "benchmark-pool.npz"


class Sweep(NamedTuple):
    """A sweep's trials, and for the first version the test results of its winners on other seeds, (S, R)."""

    trials: list[Trials]
    retrained: Array


class Truth(NamedTuple):
    """Each strategy's theta, (S,), and what the first version estimates: the mean of a retrained winner, (S,)."""

    theta: Array
    retrained: Array


@cache
def load(file: Path) -> tuple[trained.Trained, tuple[KDTree, ...]]:
    """The pool, and a tree of each strategy's points."""
    pool = trained.read(file)
    return pool, tuple(KDTree(np.column_stack([pool.rates, own])) for own in pool.own)


def draw(rng: np.random.Generator, file: Path, n: int, repeats: int) -> Sweep:
    """A whole sweep from the pool."""
    pool, trees = load(file)
    rates = scrambles.shared(n)[rng.integers(scrambles.STORED, size=repeats)]
    seed = rng.integers(pool.results.shape[2], size=(repeats, n))
    others = rng.integers(1, pool.results.shape[2], size=(repeats, first_version.CONFIRM_SEEDS))
    trials, retrained = [], []
    for results, own, tree in zip(pool.results, pool.own, trees, strict=True):
        place = scrambles.own(n, own.shape[1])[rng.integers(scrambles.STORED, size=repeats)]
        point = tree.query(np.concatenate([rates[..., None], place], axis=-1).reshape(repeats * n, -1))[1]
        point = point.reshape(repeats, n)
        validation, loss, test = np.moveaxis(results[point, seed], -1, 0)
        trials.append(Trials(validation, loss, test, "strata", rates))
        at = np.arange(repeats), trials[-1].winners
        fresh = (seed[at][:, None] + others) % pool.results.shape[2]
        retrained.append(results[point[at][:, None], fresh, 2].mean(axis=1))
    return Sweep(trials, np.array(retrained))


@cache
def truth(file: Path, n: int) -> Truth:
    """What very many repeats give."""
    trials, retrained = draw(np.random.default_rng(n), file, n, TRUTH)
    return Truth(np.array([t.weights @ t.test.ravel() for t in trials]), retrained.mean(axis=1))


def simulate(file: Path, n: int, sweeps: int, seed: tuple[int, ...]) -> dict[str, Array]:
    """What each of so many sweeps gave, by name: arrays over sweeps first."""
    true, (pool, _), rng = truth(file, n), load(file), np.random.default_rng(seed)
    finest = 1 / (2 * pool.images)
    rows: list[dict[str, object]] = []
    upper = np.triu_indices(len(pool.labels), 1)
    for _ in range(sweeps):
        drawn = draw(rng, file, n, TO)
        # strategies are made equal, which is where a pair is wrongly shown most easily
        level = [
            Trials(t.validation, t.loss, t.test - shift, "strata", t.rate)
            for t, shift in zip(drawn.trials, true.theta, strict=True)
        ]
        contest = to_the_end(level, finest, TO)
        d, error = contest.differences[:, *upper], contest.errors[:, *upper]
        quantiles = stdtrit(np.array([[look.repeats - 1 for look in contest.looks]]), 1 - np.array([LEVELS]).T / 2)
        played = play(drawn.trials, finest, "one", pool.chance)
        behind = np.inf if played.pick is None else true.theta.max() - true.theta[played.pick]
        row: dict[str, object] = {
            "wrong": wrong(contest, np.zeros(len(level))),
            "beyond": np.abs(d) > quantiles[..., None] * error,  # (levels, looks, pairs)
            "settled": played.settled,
            "trainings": played.trainings,
            "right": behind <= played.margin,
            "bad": played.margin < behind < np.inf,
        }
        if n == COMPARED_AT:
            row |= _compared(drawn, true, finest, played.margin)
        rows.append(row)
    return {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}


def _compared(drawn: Sweep, true: Truth, finest: float, margin: float) -> dict[str, object]:
    """Both versions after the same repeats: estimates minus truths, and which 95% intervals of pairs cover."""
    count = len(drawn.trials)
    contest = Contest(drawn.trials, [REPEATS] * count, [Look(REPEATS, 0.8)], finest)
    old, pairs = drawn.retrained[:, :REPEATS], list(combinations(range(count), 2))
    covers = []
    for i, j in pairs:
        half = stdtrit(REPEATS - 1, 0.975) * contest.errors[0, i, j]
        _, low, high = first_version.interval(old[i] - old[j])
        new = abs(contest.differences[0, i, j] - true.theta[i] + true.theta[j]) <= half
        covers.append((new, low <= true.retrained[i] - true.retrained[j] <= high))
    chosen = first_version.answer(old, margin)
    behind = np.inf if chosen is None else true.retrained.max() - true.retrained[chosen]
    return {
        "covers": covers,
        "off": np.array([[contest.estimate(s, 1).value for s in range(count)], old.mean(axis=1)])
        - np.array([true.theta, true.retrained]),
        "old right": behind <= margin,
        "old bad": margin < behind < np.inf,
    }


def report(found: dict[int, dict[str, Array]], pool: trained.Trained) -> Iterator[tuple[str, bool]]:
    """Every line, and whether what it promises is kept."""

    def promised(promise: Promise, values: Array) -> tuple[str, bool]:
        kept = promise.kept(values)
        return f"| {promise} | {promise.shown(values.mean())}{'' if kept else ' BROKEN'} |", kept

    of = found[COMPARED_AT]
    off = np.sqrt((of["off"] ** 2).mean(axis=0))  # (2, S)
    ratios, shares = off[0] / off[1], of["covers"].mean(axis=0)
    each = COMPARED_AT * REPEATS
    new = (shares[:, 0].min(), shares[:, 0].max(), each, of["right"].mean(), of["bad"].mean())
    old = (shares[:, 1].min(), shares[:, 1].max(), each + 2 * REPEATS, of["old right"].mean(), of["old bad"].mean())
    yield f"\n| {REPEATS} repeats of {COMPARED_AT} trials | first version | pooled |\n| :-- | --: | --: |", True
    yield f"| 95% intervals of {len(shares)} pairs cover | {_range(*old[:2])} | {_range(*new[:2])} |", True
    yield f"| standard error | 1 | {ratios.min():.2f} to {ratios.max():.2f} |", True
    yield f"| trainings per strategy | {old[2]} | {new[2]} |", True
    new_said = f"{new[3]:.1%}, {new[4]:.1%} (with as many repeats as `decide` wants)"
    yield f"| answers that are right, and that are wrong | {old[3]:.1%}, {old[4]:.1%} | {new_said} |", True
    yield "\n| promise | found |\n| :-- | --: |", True
    for name, pair in (("least", shares[:, 0].argmin()), ("most", shares[:, 0].argmax())):
        promise = Promise(f"95% intervals cover, {name} of the pairs", 0.91, 0.98)
        yield promised(promise, of["covers"][:, pair, 0])
    for n, values in found.items():
        for i, level in enumerate(LEVELS):
            beyond = values["beyond"][:, i]
            worst = int(beyond.mean(axis=(0, 2)).argmax())
            name = f"n = {n}: a pair's error at {level:.0%}, mean of the pairs, at the worst look"
            yield promised(Promise(name, most=1.5 * level), beyond[:, worst].mean(axis=1))
            # Some pairs' errors have longer tails than Student's t; what is promised of a pair is its coverage, above.
            yield f"| n = {n}: that of the worst pair and look | {beyond.mean(axis=0).max():.1%} |", True
        yield promised(Promise(f"n = {n}: any pair wrongly shown", most=0.05), values["wrong"][:, 0])
        yield promised(Promise(f"n = {n}: any wrong bound", most=0.05), values["wrong"][:, 1])
        yield promised(Promise(f"n = {n}: settled", 0.95), values["settled"])
        yield promised(Promise(f"n = {n}: trainings", share=False), values["trainings"])
        yield promised(Promise(f"n = {n}: pick worse than its margin", most=0.05), values["bad"])
    failed = pool.diverged.mean(axis=(1, 2))
    shares_of = ", ".join(f"{label} {share:.0%}" for label, share in zip(pool.labels, failed, strict=True))
    yield f"\n{pool.results.shape[1]} points, {pool.results.shape[2]} seeds; diverged: {shares_of}", True


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def main() -> None:
    """Print the tables; exit with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=2000, help="per number of trials (default: 2000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", type=Path, default=(cache_folder() or Path()) / POOL, help="the file (%(default)s)")
    parser.add_argument("--points", type=int, default=trained.POINTS, help="of the pool (%(default)s)")
    given = parser.parse_args()
    trained.make(given.pool, given.points)
    chunks = [min(CHUNK, given.sweeps - first) for first in range(0, given.sweeps, CHUNK)]
    found: dict[int, dict[str, Array]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for n in SIZES:
            seeds = [(given.seed, n, chunk) for chunk in range(len(chunks))]
            parts = list(processes.map(simulate, [given.pool] * len(chunks), [n] * len(chunks), chunks, seeds))
            found[n] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    broken = 0
    for line, kept in report(found, trained.read(given.pool)):
        print(line)
        broken += not kept
    print(f"{given.sweeps} sweeps per number of trials, seed {given.seed}: {broken} promises broken")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
