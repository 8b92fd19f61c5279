"""Every number of the answer: one row per strategy and length, and one per pair and length."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import Interval, iqm, mean_interval, wilson
from decaybench.findings.ledger import Account, account, unequal
from decaybench.findings.pairs import Pair, Values, pairs, turned
from decaybench.findings.results import DIGITS, Results, Run
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS


@dataclass(frozen=True)
class Row:
    """One strategy at one length; None where there is no result yet. Values are in the units of `metrics.METRICS`.

    * ``slots_at_chance``: the number of trials that were trained to the end, but did no better than guessing.
    * ``best_validation``: the mean validation result of the best configurations; optimistic, as it selected them.
    * ``by_repeat`` (R,): the retrained result, the mean per repeat over its confirm seeds; NaN for a repeat without
      one. Diverged runs count at chance.
    * ``confirmed``: its mean and interval over repeats, by metric.
    * ``survivors``: its mean without diverged runs.
    * ``middle``: the interquartile mean of all confirm runs.
    * ``learning_rate``: the geometric mean of the best configurations' learning rates.
    * ``rank``: counts from 1; equal means share a rank.
    """

    strategy: Strategy
    length: float
    account: Account
    slots_at_chance: int
    best_validation: float | None
    by_repeat: NDArray[np.float64]
    confirmed: Mapping[str, Interval | None]
    survivors: float | None
    middle: float | None
    learning_rate: float | None
    rank: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all trials and confirm runs are done; replays do not count, since they decide nothing."""
        slots, confirm = self.account.slots, self.account.confirm
        return (slots.done, confirm.done) == (slots.planned, confirm.planned)

    @property
    def diverged(self) -> Interval:
        """The share of trials that diverged, with its Wilson interval; NaN without bounds if no trial is done."""
        return wilson(self.account.slots.diverged, self.account.slots.done)

    @property
    def repeats_done(self) -> int:
        return int(np.isfinite(self.by_repeat).sum())


@dataclass(frozen=True)
class Summary:
    """All rows and pairs, in the order of the sweep file's lengths and strategies; a length's family row comes last."""

    results: Results
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared one budget of trials, so that nothing is compared and no row has a rank."""
        return self.results.adaptive

    @property
    def slots_planned(self) -> int:
        """Trials of the whole sweep, including those that an adaptive search has not yet given to a strategy."""
        return self.results.sweep.slots_in_all

    @property
    def confirm_planned(self) -> int:
        """Confirm runs of the whole sweep; an adaptive one retrains one configuration per repeat and length."""
        confirmed = 1 if self.adaptive else len(self.results.strategies)
        return confirmed * self.results.repeats * self.results.confirm_seeds * len(self.results.lengths)

    def at(self, length: float) -> list[Row]:
        return [row for row in self.rows if row.length == length]

    def ranked(self, length: float) -> list[Row]:
        """The rows of ``length``, the best first; those without a retrained result come last."""
        return sorted(self.at(length), key=lambda row: math.inf if row.rank is None else row.rank)

    def pair(self, a: str, b: str, length: float) -> Pair:
        """The comparison of a with b, whichever of the two the sweep file lists first; KeyError if there is none."""
        for pair in self.pairs:
            if pair.length == length and (pair.a, pair.b) == (a, b):
                return pair
            if pair.length == length and (pair.a, pair.b) == (b, a):
                return turned(pair)
        raise KeyError((a, b, length))

    def families(self, length: float) -> Pair | None:
        """The comparison of the reactive family with the fixed one; None without both, and in an adaptive sweep."""
        if self.adaptive:
            return None
        last = [p for p in self.pairs if p.length == length and p.a == "family:reactive"]
        return last[0] if last else None


def summarise(results: Results) -> Summary:
    """All rows and pairs, computed from a sweep's results."""
    rows: list[Row] = []
    for length in results.lengths:
        here = [_row(results, strategy, length) for strategy in results.strategies]
        rows += here if results.adaptive else _ranked(here, results.metric)
    accounts = {(row.strategy.label, row.length): row.account for row in rows}
    values = [Values(row.strategy.label, row.strategy.family, row.length, row.by_repeat) for row in rows]
    return Summary(results, tuple(rows), pairs(results, values, unequal(results, accounts)))


def _row(results: Results, strategy: Strategy, length: float) -> Row:
    slots = results.of("search", strategy.label, length)
    confirm = results.of("confirm", strategy.label, length)
    winners = results.winners(strategy.label, length)
    scores = [s for w in winners if (s := w.value("validation", results.metric)) is not None]
    rates = [w.learning_rate for w in winners if w.learning_rate is not None and w.learning_rate > 0]
    by_repeat = {metric: _by_repeat(confirm, metric, results.repeats) for metric in METRICS}
    alive = _by_repeat([run for run in confirm if not run.diverged], results.metric, results.repeats)
    tested = [v for run in confirm if (v := run.value("test", results.metric)) is not None]
    return Row(
        strategy=strategy,
        length=length,
        account=account(results, strategy.label, length),
        slots_at_chance=sum(_at_chance(results, run) for run in slots),
        best_validation=float(np.mean(scores)) if scores else None,
        by_repeat=by_repeat[results.metric],
        confirmed={metric: _interval(found, METRICS[metric].high) for metric, found in by_repeat.items()},
        survivors=float(np.nanmean(alive)) if np.isfinite(alive).any() else None,
        middle=iqm(tested) if tested else None,
        learning_rate=math.exp(float(np.mean(np.log(rates)))) if rates else None,
    )


def _at_chance(results: Results, run: Run) -> bool:
    """Whether a run was trained to the end but learned nothing: its validation result is no better than guessing."""
    if run.outcome != "finished" or run.stopped:
        return False
    value, chance = run.value("validation", results.metric), results.chance.get(results.metric)
    if value is None or chance is None:
        return False
    return METRICS[results.metric].ahead(value, chance) <= 0


def _by_repeat(runs: list[Run], metric: str, repeats: int) -> NDArray[np.float64]:
    """(R,): means over the confirm runs that are done; NaN for a repeat without one."""
    means = np.full(repeats, np.nan)
    for repeat in range(repeats):
        values = [v for run in runs if run.repeat == repeat and (v := run.value("test", metric)) is not None]
        if values:
            means[repeat] = np.mean(values)
    return means


def _interval(by_repeat: NDArray[np.float64], most: float) -> Interval | None:
    """The t interval over repeats, clipped to [0, ``most``], the metric's possible values."""
    present = by_repeat[np.isfinite(by_repeat)]
    if not present.size:
        return None
    found = mean_interval(present)
    if found.low is None or found.high is None:
        return found
    return Interval(found.mean, max(found.low, 0.0), min(found.high, most))


def _ranked(rows: list[Row], metric: str) -> list[Row]:
    sign = METRICS[metric].sign
    means = [None if (c := row.confirmed[metric]) is None else round(-sign * c.mean, DIGITS) for row in rows]
    known = [mean for mean in means if mean is not None]
    ranks = [None if mean is None else 1 + sum(other < mean for other in known) for mean in means]
    return [Row(**{**vars(row), "rank": rank}) for row, rank in zip(rows, ranks, strict=True)]
