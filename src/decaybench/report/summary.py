"""Every number of the report: one row a strategy and length, one row a pair and length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from decaybench.compare import Interval, mean_interval, p_better, paired_interval
from decaybench.report.results import Results, Run, Strategy

LEAST_REPEATS = 5
"""Repeats below which the report speaks of a strategy's selected setting only."""
LEAST_SEEDS = 2
"""Confirm seeds below which there are too few to speak of a strategy."""
FAMILIES = ("reactive", "fixed")
SHARED_SLOTS = "a search for one good setting, not a comparison: the strategies shared their slots"
"""Why a sweep with adaptive allocation never gets a verdict."""

_DIGITS = 12  # means of the same fractions in another order differ in the 16th digit: they are equal


@dataclass(frozen=True)
class Row:
    """One strategy at one length. Accuracies in [0, 1], losses in nats; None where there is nothing yet.

    ``slots_at_chance`` counts finished slots that did no better than guessing. ``best_validation`` is the winners'
    mean search score: optimistic, since it was selected on. ``by_repeat`` (R,) is the confirmed metric, a repeat's
    mean over its confirm seeds, NaN for a repeat without one. ``rank`` counts from 1, equal means share it.
    """

    strategy: Strategy
    length: float
    slots_planned: int
    slots_done: int
    slots_diverged: int
    slots_at_chance: int
    slots_failed: int
    best_validation: float | None
    confirm_planned: int
    confirm_done: int
    confirm_diverged: int
    confirm_failed: int
    by_repeat: NDArray[np.float64]
    accuracy: Interval | None
    loss: Interval | None
    learning_rate: float | None
    updates: int
    rank: int | None = None

    def confirmed(self, metric: str) -> Interval | None:
        return self.accuracy if metric == "accuracy" else self.loss

    @property
    def complete(self) -> bool:
        return (self.slots_done, self.confirm_done) == (self.slots_planned, self.confirm_planned)

    @property
    def repeats_done(self) -> int:
        return int(np.isfinite(self.by_repeat).sum())


@dataclass(frozen=True)
class Pair:
    """a against b at one length; ``difference`` is positive where a is better, in the metric's unit."""

    a: str
    b: str
    length: float
    metric: str
    difference: Interval | None
    p_better: float | None
    verdict: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """All rows and pairs, lengths and strategies in the sweep file's order, a length's family row last."""

    results: Results
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared their slots: then nothing here is a comparison, and no row has a rank."""
        return _adaptive(self.results)

    @property
    def slots_planned(self) -> int:
        """Slots of the whole sweep, those too that an adaptive search has not given to a strategy yet."""
        if not self.adaptive:
            return sum(row.slots_planned for row in self.rows)
        each = self.results.sweep["spec"]["budget"]["trials"] * len(self.results.strategies)
        return int(each) * self.results.repeats * len(self.results.lengths)

    @property
    def confirm_planned(self) -> int:
        """Confirm runs of the whole sweep; an adaptive one confirms one setting a repeat and length."""
        confirmed = 1 if self.adaptive else len(self.results.strategies)
        return confirmed * self.results.repeats * self.results.confirm_seeds * len(self.results.lengths)

    def at(self, length: float) -> list[Row]:
        return [row for row in self.rows if row.length == length]

    def ranked(self, length: float) -> list[Row]:
        """The length's rows, the best first; those without a confirmed result last."""
        return sorted(self.at(length), key=lambda row: math.inf if row.rank is None else row.rank)

    def pair(self, a: str, b: str, length: float) -> Pair:
        """The pair with a first, turned round where the file has b first."""
        for pair in self.pairs:
            if pair.length == length and (pair.a, pair.b) == (a, b):
                return pair
            if pair.length == length and (pair.a, pair.b) == (b, a):
                return turned(pair)
        raise KeyError((a, b, length))

    def families(self, length: float) -> Pair | None:
        """The row of the reactive family against the fixed one, where the sweep has both and compares them."""
        if self.adaptive:
            return None
        last = [p for p in self.pairs if p.length == length and p.a == "family:reactive"]
        return last[0] if last else None


def summarise(results: Results) -> Summary:
    """All numbers of the report from a sweep's results."""
    rows: list[Row] = []
    pairs: list[Pair] = []
    for length in results.lengths:
        here = [_row(results, strategy, length) for strategy in results.strategies]
        if not _adaptive(results):
            here = _ranked(here, results.metric)
        rows += here
        pairs += _pairs(results, here, length)
    return Summary(results, tuple(rows), tuple(pairs))


def _adaptive(results: Results) -> bool:
    return bool(results.sweep["spec"]["search"].get("allocation") == "adaptive")


def _row(results: Results, strategy: Strategy, length: float) -> Row:
    slots = results.of("search", strategy.label, length)
    confirm = results.of("confirm", strategy.label, length)
    winners = results.winners(strategy.label, length)
    scores = [s for w in winners if (s := w.value("validation", results.metric)) is not None]
    rates = [w.learning_rate for w in winners if w.learning_rate is not None and w.learning_rate > 0]
    by_repeat = {metric: _by_repeat(confirm, metric, results.repeats) for metric in ("accuracy", "loss")}
    return Row(
        strategy=strategy,
        length=length,
        slots_planned=len(slots),
        slots_done=sum(run.done for run in slots),
        slots_diverged=sum(run.diverged for run in slots),
        slots_at_chance=sum(run.done and not run.diverged and _at_chance(results, run) for run in slots),
        slots_failed=sum(run.outcome == "failed" for run in slots),
        best_validation=float(np.mean(scores)) if scores else None,
        confirm_planned=len(confirm) if _adaptive(results) else results.repeats * results.confirm_seeds,
        confirm_done=sum(run.done for run in confirm),
        confirm_diverged=sum(run.diverged for run in confirm),
        confirm_failed=sum(run.outcome == "failed" for run in confirm),
        by_repeat=by_repeat[results.metric],
        accuracy=_interval(by_repeat["accuracy"], 1.0),
        loss=_interval(by_repeat["loss"], math.inf),
        learning_rate=math.exp(float(np.mean(np.log(rates)))) if rates else None,
        updates=sum(len(results.traces[run.id]) for run in slots + confirm if run.id in results.traces),
    )


def _at_chance(results: Results, run: Run) -> bool:
    """Whether a finished run learned nothing: its validation result is no better than guessing."""
    value, chance = run.value("validation", results.metric), results.chance.get(results.metric)
    if value is None or chance is None:
        return False
    return value <= chance if results.metric == "accuracy" else value >= chance


def _by_repeat(runs: list[Run], metric: str, repeats: int) -> NDArray[np.float64]:
    """(R,) means over the confirm seeds that are done, NaN where none is."""
    means = np.full(repeats, np.nan)
    for repeat in range(repeats):
        values = [v for run in runs if run.repeat == repeat and (v := run.value("test", metric)) is not None]
        if values:
            means[repeat] = np.mean(values)
    return means


def _interval(by_repeat: NDArray[np.float64], most: float) -> Interval | None:
    """Student's t over the repeats, cut at 0 and ``most``: it knows no bounds, but an accuracy and a loss do."""
    present = by_repeat[np.isfinite(by_repeat)]
    if not present.size:
        return None
    found = mean_interval(present)
    if found.low is None or found.high is None:
        return found
    return Interval(found.mean, max(found.low, 0.0), min(found.high, most))


def _ranked(rows: list[Row], metric: str) -> list[Row]:
    sign = 1 if metric == "loss" else -1
    means = [None if (c := row.confirmed(metric)) is None else round(sign * c.mean, _DIGITS) for row in rows]
    known = [mean for mean in means if mean is not None]
    ranks = [None if mean is None else 1 + sum(other < mean for other in known) for mean in means]
    return [Row(**{**vars(row), "rank": rank}) for row, rank in zip(rows, ranks, strict=True)]


def _pairs(results: Results, rows: list[Row], length: float) -> list[Pair]:
    gaps = _ledger_gaps(results, rows)
    pairs = [
        _pair(results, a.strategy.label, b.strategy.label, length, a.by_repeat, b.by_repeat, gaps)
        for a, b in combinations(rows, 2)
    ]
    groups = [[row.by_repeat for row in rows if row.strategy.family == family] for family in FAMILIES]
    if all(groups):
        # a repeat counts when every listed strategy has it: NaN passes through the mean
        reactive, fixed = (np.mean(group, axis=0) for group in groups)
        pairs.append(_pair(results, "family:reactive", "family:fixed", length, reactive, fixed, gaps))
    return pairs


def _pair(
    results: Results,
    a: str,
    b: str,
    length: float,
    of_a: NDArray[np.float64],
    of_b: NDArray[np.float64],
    gaps: list[str],
) -> Pair:
    difference = of_a - of_b if results.metric == "accuracy" else of_b - of_a
    difference = np.round(difference[np.isfinite(difference)], _DIGITS)
    reasons = [SHARED_SLOTS] if _adaptive(results) else []
    if not difference.size:
        reasons.append("no confirmed result")
    if results.repeats < LEAST_REPEATS:
        reasons.append(f"too few repeats: {results.repeats} of at least {LEAST_REPEATS}")
    if results.confirm_seeds < LEAST_SEEDS:
        reasons.append(f"too few seeds: {results.confirm_seeds} of at least {LEAST_SEEDS}")
    if difference.size and gaps:
        reasons.append("an unequal ledger: " + ", ".join(gaps))
    if not reasons:
        reasons.append("the verdict statistics are not built yet; read the interval as unadjusted")
    return Pair(
        a=a,
        b=b,
        length=length,
        metric=results.metric,
        difference=paired_interval(difference) if difference.size else None,
        p_better=p_better(difference) if difference.size else None,
        verdict="no verdict",
        reason="; ".join(reasons),
    )


def _ledger_gaps(results: Results, rows: list[Row]) -> list[str]:
    """What keeps a length's ledger from being equal, in words, at most three gaps spelled out."""
    gaps = [
        f"{row.strategy.label} has {row.slots_done} of {row.slots_planned} slots"
        f" and {row.confirm_done} of {row.confirm_planned} confirm runs"
        for row in rows
        if not row.complete
    ]
    # a strategy with nothing to search is planned one slot a repeat; the others must be planned alike
    searching = {row.slots_planned for row in rows if row.slots_planned != results.repeats}
    if len(searching) > 1:
        gaps.append("planned slots are " + " and ".join(str(planned) for planned in sorted(searching)))
    return gaps if len(gaps) <= 3 else [*gaps[:2], f"and {len(gaps) - 2} gaps more"]


def turned(pair: Pair) -> Pair:
    """The same comparison with b first."""
    difference = pair.difference
    if difference is not None:
        low = None if difference.high is None else -difference.high
        high = None if difference.low is None else -difference.low
        difference = Interval(-difference.mean, low, high)
    p = None if pair.p_better is None else 1 - pair.p_better
    return Pair(pair.b, pair.a, pair.length, pair.metric, difference, p, pair.verdict, pair.reason)
