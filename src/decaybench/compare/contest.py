"""Strategies against each other over the looks that they have taken: bounds to the best, and pairs that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from decaybench.compare.looks import Look, critical, passed, spends, tail
from decaybench.compare.pooled import DIGITS, Estimate, Floats, Trials, standard_error
from decaybench.compare.significance import holm

LEVEL: Final = 0.05
"""The error of each of the two statements, over all looks: the bounds of all strategies, and the pairs shown."""


@dataclass(frozen=True, eq=False)
class Contest:
    """S strategies, and the K looks of their sweep; numbers are in the metric's unit, more being better.

    ``trials`` hold at least the ``repeats`` (S,) that each strategy has closed without a gap. A pair is looked at up to
    the lower of its two levels. ``finest`` is the least standard error of a difference after one repeat, times sqrt(R)
    after R: 1 / (2 test images) of accuracy, 0 of a loss. ``control`` is the strategy to whose pairs the tests are
    restricted; None tests all.
    """

    trials: Sequence[Trials]
    repeats: Sequence[int]
    looks: Sequence[Look]
    finest: float = 0.0
    control: int | None = None

    @cached_property
    def levels(self) -> NDArray[np.intp]:
        """How many looks each strategy has passed, (S,)."""
        return np.array([passed(self.looks, repeats) for repeats in self.repeats], dtype=np.intp)

    def estimate(self, strategy: int, level: int | None = None) -> Estimate:
        """A strategy's estimate at a ``level``, by default its own, which is at least 1."""
        reached = int(self.levels[strategy] if level is None else level)
        return self.trials[strategy].first(self.looks[reached - 1].repeats).estimate

    @cached_property
    def differences(self) -> Floats:
        """U_i - U_j at every look, (K, S, S), rounded; NaN where the pair is not looked at."""
        found = np.full((len(self.looks), *2 * [len(self.trials)]), np.nan)
        for k, there in self._at_looks():
            value = np.array([self.estimate(s, k + 1).value for s in there])
            found[k][np.ix_(there, there)] = np.round(value[:, None] - value, DIGITS)
        return found

    @cached_property
    def errors(self) -> Floats:
        """The standard error of each of `differences`, (K, S, S).

        It is the jackknife's over the repeats, but at least ``finest`` / sqrt(R); 0 where the two are the same runs.
        """
        found = np.full((len(self.looks), *2 * [len(self.trials)]), np.nan)
        for k, there in self._at_looks():
            repeats = self.looks[k].repeats
            without = np.stack([self.estimate(s, k + 1).without for s in there])
            error = standard_error(without[:, None] - without)
            error = np.maximum(np.round(error, DIGITS), self.finest / np.sqrt(repeats))
            found[k][np.ix_(there, there)] = error
            np.fill_diagonal(found[k], 0)
            for i, j in zip(*np.nonzero(np.triu(self.differences[k] == 0, 1)), strict=True):
                if self.trials[i].first(repeats).same(self.trials[j].first(repeats)):
                    found[k, i, j] = found[k, j, i] = 0
        return found

    @cached_property
    def gaps(self) -> Floats:
        """How far j may be ahead of i at most, (S, S): the least of the pair's bounds; infinite before its first look.

        up_ij = min over its looks of U_j - U_i + c_k(.05 / max(2, S - 1)) SE. Sources: Hsu 1981; Edwards and Hsu 1983
        (multiple comparisons with the best).
        """
        value = critical(self.looks, LEVEL / max(2, len(self.trials) - 1))[:, None, None]
        gap: Floats = _least(np.round(-self.differences + _times(value, self.errors), DIGITS))
        np.fill_diagonal(gap, 0)
        return gap

    @cached_property
    def bounds(self) -> Floats:
        """D (S,): with 95% confidence each strategy is at most D below the best of these, all at once."""
        bound: Floats = np.maximum(self.gaps.max(axis=1), 0)
        return bound

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The M pairs i < j that are tested."""
        every = [(i, j) for i in range(len(self.trials)) for j in range(i + 1, len(self.trials))]
        return tuple(pair for pair in every if self.control is None or self.control in pair)

    @cached_property
    def adjusted(self) -> Floats:
        """Holm's adjusted p (S, S) of each pair's direction over all of its looks; NaN for a pair that is not tested.

        q = min(1, 2 min over its looks of tail_k(|d / SE|) / (f_k - f_(k-1))). No later look can raise it.
        """
        found = np.full(2 * [len(self.trials)], np.nan)
        if self.pairs:
            i, j = np.array(self.pairs).T
            found[i, j] = found[j, i] = holm(np.round(np.minimum(1, 2 * _least(self._spent_p)[i, j]), DIGITS))
        return found

    @cached_property
    def shown(self) -> NDArray[np.int8]:
        """1 where i is shown better than j, -1 where it is shown worse, else 0; (S, S)."""
        known = ~np.isnan(self._spent_p).all(axis=0)
        at = np.argmin(np.where(np.isnan(self._spent_p), np.inf, self._spent_p), axis=0)
        direction = np.sign(np.take_along_axis(self.differences, at[None], axis=0)[0])
        yes = known & (self.adjusted <= LEVEL)  # NaN is not
        return np.where(yes, direction, 0).astype(np.int8)

    @cached_property
    def _spent_p(self) -> Floats:
        """tail_k(|d / SE|) / (f_k - f_(k-1)) at every look, (K, S, S)."""
        found = np.full_like(self.differences, np.nan)
        for k, _ in self._at_looks():
            d, error = self.differences[k], self.errors[k]
            t = np.divide(d, error, out=np.where(d == 0, 0.0, np.copysign(np.inf, d)), where=error > 0)
            t[np.isnan(d)] = np.nan
            repeats = self.looks[k].repeats
            if repeats > 1:
                found[k] = tail(t, repeats) / spends(self.looks)[k]
        return found

    def level_of(self, i: int, j: int) -> int:
        """The level up to which a pair is looked at."""
        return int(min(self.levels[i], self.levels[j]))

    def _at_looks(self) -> list[tuple[int, list[int]]]:
        """Every look that was taken, with the strategies that have passed it."""
        passed_by = [(k, np.flatnonzero(self.levels > k).tolist()) for k in range(len(self.looks))]
        return [(k, there) for k, there in passed_by if there]


def _least(values: Floats) -> Floats:
    """The least over the looks, (K, S, S) -> (S, S), infinite where there is none."""
    least: Floats = np.where(np.isnan(values), np.inf, values).min(axis=0)
    return least


def _times(critical_value: Floats, error: Floats) -> Floats:
    """Their product; 0 where the error is 0, even if the critical value is infinite."""
    product: Floats = np.multiply(critical_value, error, out=np.zeros_like(error), where=error != 0)
    return product
