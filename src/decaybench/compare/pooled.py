"""The expected test result of a search, estimated from all of its trials, and its jackknife over repeats.

Validation picks, test scores: a search of ``n`` trials is worth the test result of the trial that validation picks.
Pooling the trials of R repeats averages over far more searches than the R that were made, which is where the small
standard error comes from; leaving out whole repeats is what makes that error honest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pooling = Literal["strata", "independent", "winners"]
"""How trials make up a search.

"strata": one trial from each n-th of the base learning rate's range, as a quasi-random scramble gives them;
"independent": n independent draws; "winners": only the searches that were made, for trials that depend on each other.
"""
DIGITS: Final = 12
"""Decimals to which numbers are rounded before they are compared, so that no decision hangs on a last bit."""


class Estimate(NamedTuple):
    """The expected test result of a search, more being better, and the same without each repeat in turn, (R,)."""

    value: float
    without: Floats

    @property
    def error(self) -> float:
        """The jackknife's standard error over repeats; NaN with one repeat."""
        return float(standard_error(self.without))


@dataclass(frozen=True, eq=False)
class Trials:
    """One strategy's trials in R closed repeats of n trials each; every array is (R, n).

    ``validation`` and ``test`` are the metric, oriented so that more is better, with chance for a diverged trial.
    ``loss`` is the validation loss, which breaks ties. ``rate`` is the base learning rate, by which "strata" ranks the
    trials of a repeat; the other poolings do not need it. Raises ValueError for other shapes, a value that is not
    finite, and strata without rates.
    """

    validation: Floats
    loss: Floats
    test: Floats
    pooling: Pooling
    rate: Floats | None = None

    def __post_init__(self) -> None:
        arrays = [self.validation, self.loss, self.test, *([] if self.rate is None else [self.rate])]
        if self.validation.ndim != 2 or not self.validation.size or any(a.shape != self.test.shape for a in arrays):
            raise ValueError(f"trials must be (R, n) each, got {', '.join(str(a.shape) for a in arrays)}")
        if not all(np.isfinite(a).all() for a in arrays):
            raise ValueError("trials must be finite")
        if self.pooling == "strata" and self.rate is None:
            raise ValueError('"strata" needs the trials\' base learning rates')

    @property
    def repeats(self) -> int:
        """R, the number of repeats."""
        return int(self.test.shape[0])

    @property
    def n(self) -> int:
        """The number of trials per repeat."""
        return int(self.test.shape[1])

    def first(self, repeats: int) -> Trials:
        """The trials of the first ``repeats`` repeats; made once, since every later look needs them again.

        Raises ValueError where there are not so many.
        """
        if not 1 <= repeats <= self.repeats:
            raise ValueError(f"repeats must be from 1 to the {self.repeats} there are, got {repeats}")
        if repeats == self.repeats:
            return self
        if repeats not in self._prefixes:
            rate = None if self.rate is None else self.rate[:repeats]
            validation, loss, test = self.validation[:repeats], self.loss[:repeats], self.test[:repeats]
            self._prefixes[repeats] = Trials(validation, loss, test, self.pooling, rate)
        return self._prefixes[repeats]

    def same(self, other: Trials) -> bool:
        """Whether all trials of both have equal results: then they are the same runs."""
        return self.test.shape == other.test.shape and all(
            np.array_equal(np.round(a, DIGITS), np.round(b, DIGITS))
            for a, b in ((self.test, other.test), (self.validation, other.validation), (self.loss, other.loss))
        )

    @cached_property
    def _prefixes(self) -> dict[int, Trials]:
        return {}

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """All N = R n trials from worst to best, as indices into the flattened arrays.

        Of two trials the worse one has the lower validation metric; then the higher validation loss, the later repeat,
        the later trial.
        """
        place = -np.arange(self.test.size)
        return np.lexsort((place, -np.round(self.loss.ravel(), DIGITS), np.round(self.validation.ravel(), DIGITS)))

    @cached_property
    def winners(self) -> NDArray[np.intp]:
        """The trial (R,) that validation picks in each repeat."""
        picked: NDArray[np.intp] = self._position.argmax(axis=1)
        return picked

    @cached_property
    def _position(self) -> NDArray[np.intp]:
        """The place (R, n) of each trial in `order`."""
        position = np.empty(self.test.size, dtype=np.intp)
        position[self.order] = np.arange(self.test.size)
        return position.reshape(self.test.shape)

    @cached_property
    def _strata(self) -> NDArray[np.intp]:
        """The rank (R, n) of each trial's base learning rate within its repeat, from 0; of equal ones by trial."""
        assert self.rate is not None
        return np.argsort(np.argsort(self.rate, axis=1, kind="stable"), axis=1, kind="stable")

    @cached_property
    def weights(self) -> Floats:
        """The share (N,) of all searches that end with each trial, in the trials' own order; it sums to 1."""
        if self.pooling == "winners":
            weights = np.zeros(self.test.shape)
            weights[np.arange(self.repeats), self.winners] = 1 / self.repeats
            return weights.ravel()
        ordered = np.empty(self.test.size)
        if self.pooling == "independent":
            ordered[self.order] = independent_weights(self.test.size, self.n)
        else:
            ordered[self.order] = self._strata_weights()
        return ordered

    @cached_property
    def estimate(self) -> Estimate:
        """The weighted mean of the test results, and the same from the trials of all repeats but one."""
        test, r = self.test.ravel(), self.repeats
        value = float(self.weights @ test)
        if r == 1:
            return Estimate(value, np.array([np.nan]))
        if self.pooling == "winners":
            found = self.test[np.arange(r), self.winners]
            return Estimate(value, (found.sum() - found) / (r - 1))
        ordered = test[self.order]
        of = self.order // self.n  # the repeat of each trial
        if self.pooling == "independent":
            kept = np.stack([ordered[of != left_out] for left_out in range(r)])
            return Estimate(value, kept @ independent_weights(kept.shape[1], self.n))
        return Estimate(value, self._without_each_repeat(ordered, of))

    def _strata_weights(self) -> Floats:
        """w_i = (1/R) prod over h != g(i) of F_h(i), from worst to best: with F_h(i) of stratum h before i."""
        before, own = self._before
        share = before / self.repeats
        share[own] = 1
        weights: Floats = share.prod(axis=1) / self.repeats
        return weights

    def _without_each_repeat(self, ordered: Floats, of: NDArray[np.intp]) -> Floats:
        """The weighted mean (R,) without each repeat, which changes only the factors that count one of its trials."""
        before, own = self._before
        places = np.empty((self.repeats, self.n), dtype=np.intp)  # of the trial of each stratum of each repeat
        np.put_along_axis(places, self._strata, self._position, axis=1)
        r, at = self.repeats, np.arange(self.test.size)
        smaller = np.where(own | (before == 0), 1.0, (before - 1) / np.maximum(before, 1))
        weights = np.repeat((self.weights[self.order] * (r / (r - 1)) ** self.n)[None], r, axis=0)
        # one stratum after the other: (R, N) at a time is several times as fast as (R, N, n) at once
        for place, factor in zip(places.T, np.ascontiguousarray(smaller.T), strict=True):
            np.multiply(weights, factor, out=weights, where=place[:, None] < at)
        weights[of, at] = 0
        without: Floats = weights @ ordered
        return without

    @cached_property
    def _before(self) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """How many trials of each stratum stand before each trial, (N, n), and which stratum is its own, (N, n)."""
        own = self._strata.ravel()[self.order][:, None] == np.arange(self.n)
        return own.cumsum(axis=0) - own, own


def independent_weights(trials: int, n: int) -> Floats:
    """The weights (N,) of N = ``trials`` from worst to best for the expected pick of ``n`` drawn without replacement.

    w_N = n / N and w_i = w_(i+1) (i - n + 1) / i, the share of the subsets of n whose best is trial i. Sources: Dodge
    et al. 2019, "Show your work"; Tang et al. 2020, on why without replacement. Raises ValueError unless
    1 <= n <= N.
    """
    if not 1 <= n <= trials:
        raise ValueError(f"n must be from 1 to the {trials} trials, got {n}")
    i = np.arange(trials - 1, 0, -1)
    return (n / trials * np.cumprod(np.concatenate([[1.0], np.maximum(i - n + 1, 0) / i])))[::-1]


def standard_error(without: Floats) -> Floats:
    """The jackknife's standard error of a statistic from its values without each repeat, (..., R) -> (...,).

    SE^2 = (R - 1) / R sum_r (d_(r) - mean)^2. Sources: Tukey 1958; Efron and Stein 1981.
    """
    r = without.shape[-1]
    if r < 2:
        return np.full(without.shape[:-1], np.nan)
    error: Floats = np.sqrt((r - 1) * without.var(axis=-1))
    return error


def p_better(a: Trials, b: Trials) -> float:
    """P(a > b) in [0, 1]: how often a search of ``a`` ends with a better test result than one of ``b``.

    Ties count half: sum_ij w_i v_j ([s_i > t_j] + [s_i = t_j] / 2), with the weights of the two estimates.
    """
    mine, theirs = np.round(a.test.ravel(), DIGITS), np.round(b.test.ravel(), DIGITS)
    order = np.argsort(theirs, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(b.weights[order])])
    low, high = (np.searchsorted(theirs[order], mine, side) for side in ("left", "right"))
    return float(a.weights @ (below[low] + below[high]) / 2)
