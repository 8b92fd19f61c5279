"""Measuring the variants: rounds in which each is trained once."""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import fmean, median

from benchmarks import ours, plain
from benchmarks.flops import flops_per_sample
from benchmarks.work import CORES, Outcome, Work

Trainer = Callable[..., list[Outcome]]


@dataclass
class Variant:
    """One way to train the work in one precision; ``speeds`` has training samples per second, one entry per round."""

    letter: str
    name: str
    precision: str
    train: Trainer
    loss: float = 0.0
    accuracy: float = 0.0
    speeds: list[float] = field(default_factory=list)

    @property
    def speed(self) -> float:
        return median(self.speeds)

    def over(self, other: "Variant") -> float:
        """How many times as fast as ``other``: the median of ratios within rounds, since a round's conditions vary."""
        return median(mine / theirs for mine, theirs in zip(self.speeds, other.speeds, strict=True))


@dataclass
class Measured:
    """A net's variants, the operations per training sample, and the speed measured for each K, by precision."""

    work: Work
    flops: float
    variants: list[Variant]
    tried: dict[str, dict[int, float]]

    def find(self, letter: str, precision: str) -> Variant | None:
        """The variant, or None if it is not measured."""
        return next((v for v in self.variants if (v.letter, v.precision) == (letter, precision)), None)


def compare(work: Work, precisions: Sequence[str], rounds: int, pool: ProcessPoolExecutor, processes: int) -> Measured:
    """Train the work with every variant: once to warm up and to evaluate it, then in ``rounds`` timed rounds.

    Every second round goes through the variants in reverse order, so that none always follows the same one.
    """
    tried = {precision: ours.speeds(work, precision, processes, pool) for precision in precisions}
    variants = [variant for precision in precisions for variant in _variants(work, precision, tried[precision], pool)]
    for variant in variants:
        outcomes = variant.train(judge=True)
        variant.loss = fmean(outcome.train_loss for outcome in outcomes)
        variant.accuracy = fmean(outcome.accuracy for outcome in outcomes if outcome.accuracy is not None)
    for number in range(rounds):
        print(f"{work.name}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for variant in variants if number % 2 == 0 else reversed(variants):
            started = time.perf_counter()
            variant.train(judge=False)
            variant.speeds.append(work.trained / (time.perf_counter() - started))
    plain.close_loaders()
    return Measured(work, flops_per_sample(work), variants, tried)


def _variants(work: Work, precision: str, tried: dict[int, float], pool: ProcessPoolExecutor) -> list[Variant]:
    k = max(tried, key=lambda k: tried[k])
    on_cpu = work.device == "cpu"
    threads, processes = (f", {CORES} threads", f", {CORES} processes") if on_cpu else ("", "")
    loop = partial(plain.with_loader, work, precision)
    stacks = partial(ours.stacks, work, precision, k, pool)
    variants = [Variant("a", f"Optuna, DataLoader{threads}", precision, loop)]
    if on_cpu:
        memory = partial(plain.from_memory, work, precision)
        spread = partial(plain.in_processes, work, precision, pool)
        variants.append(Variant("b", f"from memory{threads}", precision, memory))
        variants.append(Variant("c", f"(b) in {CORES} processes", precision, spread))
    variants.append(Variant("d", f"decaybench{processes}, K = {k}", precision, stacks))
    if work.augment:
        unchanged = partial(ours.stacks, replace(work, augment=()), precision, k, pool)
        variants.append(Variant("e", "(d) without augmentation", precision, unchanged))
    return variants
