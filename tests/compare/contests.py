"""Contests whose numbers are known: with one trial per repeat the estimate is a mean, its error that of a mean."""

import numpy as np

from decaybench.compare.contest import Contest
from decaybench.compare.looks import planned
from decaybench.compare.pooled import Trials


def runs(results, validation=None, loss=None):
    """One trial per repeat, (R,): U is the mean of ``results`` and SE that of paired differences."""
    test = np.asarray(results, dtype=float)[:, None]
    other = [test if a is None else np.asarray(a, dtype=float)[:, None] for a in (validation, loss)]
    return Trials(*other, test, "winners")


def normal(seed, shifts, repeats=40, deviation=1.0):
    """A contest at all looks of 6 to 40, of strategies whose results differ by ``shifts`` on average."""
    noise = np.random.default_rng(seed).standard_normal((len(shifts), repeats))
    return [runs(deviation * each + shift) for each, shift in zip(noise, shifts, strict=True)]


def exactly(shifts, repeats=6, spread=1.0):
    """Results whose mean is exactly the shift and whose differences have a deviation, by steps that add up to zero."""
    steps = np.resize([1.0, -1.0], repeats) * spread
    return [runs(shift + (-1) ** s * steps / 2) for s, shift in enumerate(shifts)]


def contest(trials, repeats=None, start=6, to=40, **options):
    there = [trials[0].repeats] * len(trials) if repeats is None else repeats
    return Contest(trials, there, planned(start, to), **options)
