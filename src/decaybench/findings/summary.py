"""Every number of the answer: where each strategy stands at each length, and the pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from decaybench.compare import Interval, State, wilson
from decaybench.findings.boundaries import Boundary, boundaries
from decaybench.findings.ledger import Account, account, unequal
from decaybench.findings.pairs import Family, Pair, families, pairs, turned
from decaybench.findings.results import DIGITS, Results, Run
from decaybench.findings.retraining import Retrained, retraining
from decaybench.findings.standing import Standing, stand, trials
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS


@dataclass(frozen=True)
class Row:
    """One strategy at one length; None where there is nothing yet. Values in their metrics' units (`metrics.METRICS`).

    ``repeats`` are looked at, ``estimates`` the expected test results of a search with their unadjusted 95% intervals,
    by metric. ``bound`` says that the strategy is at most so far below the best, with 95% confidence for all at once;
    ``bound`` and ``state`` are None where nothing is stated. A ``parked`` strategy stands at fewer repeats than others.
    ``by_repeat`` (R,) is the test result of each repeat's best trial. ``trials`` counts the trials of these repeats,
    whereas ``account`` counts all that ran. ``mean`` is their mean test result, ``mean_finished`` without the
    diverged. ``lost`` of them diverged, a share of ``diverged``, and ``at_chance`` finished but learned nothing.
    ``learning_rate`` is the geometric mean of the best trials. ``rank`` counts from 1 by estimate.
    """

    strategy: Strategy
    length: float
    account: Account
    repeats: int
    estimates: Mapping[str, Interval | None]
    bound: float | None
    state: State | None
    parked: bool
    by_repeat: NDArray[np.float64]
    trials: int
    mean: float | None
    mean_finished: float | None
    at_chance: int
    lost: int
    diverged: Interval
    learning_rate: float | None
    retrained: Retrained | None
    rank: int | None


@dataclass(frozen=True)
class Summary:
    """All rows and standings, lengths and strategies in the sweep file's order."""

    results: Results
    standings: Mapping[float, Standing]
    rows: tuple[Row, ...]

    @property
    def adaptive(self) -> bool:
        """Whether the strategies shared their trials: then nothing here is a comparison."""
        return self.results.adaptive

    def standing(self, length: float | None = None) -> Standing:
        """The standing at a length, by default the longest."""
        return self.standings[length or self.results.longest]

    @property
    def decisive(self) -> Standing:
        """The standing at the longest length, which decides what is trained and when the sweep ends."""
        return self.standing()

    @property
    def unpicked(self) -> bool:
        """Whether the sweep was to use up its budget, and has done so without a pick."""
        decided, until = self.decisive.decision, self.results.sweep.rules.until
        return until == "end" and decided is not None and decided.next is None and decided.pick is None

    @property
    def settled(self) -> bool:
        return self.decisive.decision is not None and self.decisive.decision.settled

    @property
    def answered(self) -> bool:
        """Whether the sweep has what it was run for; a complete one without statements has its estimates."""
        return self.settled if self.decisive.decision is not None else self.results.sweep.complete

    def pick(self, length: float | None = None) -> Row | None:
        """The strategy to take at a length, by default the longest; None where none is shown to be good."""
        decision = self.standing(length).decision
        return None if decision is None or decision.pick is None else self.at(length)[decision.pick]

    def leader(self, length: float | None = None) -> Row | None:
        """The strategy with the smallest bound of those not ruled out; None before the first look."""
        decision = self.standing(length).decision
        return None if decision is None else self.at(length)[decision.leader]

    def all_diverged(self, length: float | None = None) -> bool:
        """Whether every trial at a length diverged: then all results are chance, and bounds and pairs mean nothing."""
        rows = self.at(length)
        return any(row.trials for row in rows) and all(row.lost == row.trials for row in rows)

    @property
    def compared_lengths(self) -> list[float]:
        """The lengths at which not every trial diverged, the longest first."""
        return [length for length in sorted(self.results.lengths, reverse=True) if not self.all_diverged(length)]

    @property
    def trainings(self) -> int:
        """The search trials that have ended, at all lengths: also those that enter no other number.

        These are the trials beyond the last look, and those that a changed file no longer asks for.
        """
        results = self.results
        return sum(run.phase == "search" and run.done for run in (*results.runs, *results.superseded))

    def at(self, length: float | None = None) -> list[Row]:
        """The length's rows in the sweep file's order; by default those of the longest."""
        return [row for row in self.rows if row.length == (length or self.results.longest)]

    def ranked(self, length: float | None = None) -> list[Row]:
        """The length's rows: the leader, then by bound, those ruled out last; by estimate where there is no bound."""
        leader = self.leader(length)

        def key(row: Row) -> tuple[bool, bool, float, float]:
            bound = math.inf if row.bound is None else row.bound
            return row is not leader, row.state == "ruled out", bound, math.inf if row.rank is None else row.rank

        return sorted(self.at(length), key=key)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs of every length."""
        return tuple(pair for length in self.results.lengths for pair in pairs(self.results, self.standings[length]))

    @cached_property
    def boundaries(self) -> list[Boundary]:
        """The best configurations at a search-space boundary, which page and report.md each name twice."""
        return boundaries(self.results)

    def pair(self, a: str, b: str, length: float) -> Pair:
        """The pair with a first; KeyError for one that is not tested."""
        for pair in self.pairs:
            if pair.length == length and (pair.a, pair.b) == (a, b):
                return pair
            if pair.length == length and (pair.a, pair.b) == (b, a):
                return turned(self.results, self.standings[length], pair)
        raise KeyError((a, b, length))

    def families(self, length: float | None = None) -> tuple[Family, ...]:
        """The reactive and the fixed family where the sweep compares both, else none."""
        return families(self.results, self.standing(length))


def summarise(results: Results) -> Summary:
    """All rows and standings from a sweep's results."""
    withheld = unequal(results)
    standings = {length: stand(results, length, () if withheld is None else (withheld,)) for length in results.lengths}
    rows: list[Row] = []
    for standing in standings.values():
        estimates = [_estimates(results, standing, s) for s in range(len(standing.labels))]
        ranks = _ranks([each[results.metric] for each in estimates], METRICS[results.metric].sign)
        rows += [_row(results, standing, s, *found) for s, found in enumerate(zip(estimates, ranks, strict=True))]
    return Summary(results, standings, tuple(rows))


def _row(
    results: Results,
    standing: Standing,
    s: int,
    estimates: Mapping[str, Interval | None],
    rank: int | None,
) -> Row:
    strategy, length, metric = results.strategies[s], standing.length, results.metric
    ran = [run for run in results.trials(strategy.label, length) if run.done]
    best = results.best(strategy.label, length)
    rates = [run.learning_rate for run in best if run.learning_rate is not None and run.learning_rate > 0]
    tested = [(run, value) for run in ran if not run.stopped and (value := run.value("test", metric)) is not None]
    finished = [value for run, value in tested if not run.diverged]
    lost = sum(run.diverged for run in ran)
    decided, contest = standing.decision, standing.contest
    return Row(
        strategy=strategy,
        length=length,
        account=account(results, strategy.label, length),
        repeats=results.repeats[strategy.label],
        estimates=estimates,
        bound=None if decided is None or contest is None else float(contest.bounds[s]),
        state=None if decided is None else decided.states[s],
        parked=contest is not None and bool(contest.levels[s] < contest.levels.max()),
        by_repeat=np.array([math.nan if (v := run.value("test", metric)) is None else v for run in best]),
        trials=len(ran),
        mean=float(np.mean([value for _, value in tested])) if tested else None,
        mean_finished=float(np.mean(finished)) if finished else None,
        at_chance=sum(_at_chance(results, run) for run in ran),
        lost=lost,
        diverged=wilson(lost, len(ran)),
        learning_rate=math.exp(float(np.mean(np.log(rates)))) if rates else None,
        retrained=retraining(results, strategy.label) if length == results.longest else None,
        rank=rank,
    )


def _estimates(results: Results, standing: Standing, s: int) -> dict[str, Interval | None]:
    """A strategy's expected test result by metric, each in its own unit, cut to what the metric can be."""
    found: dict[str, Interval | None] = dict.fromkeys(METRICS)
    if standing.contest is None:
        return found
    own = standing.estimate(s)
    repeats = own.without.size
    for name, metric in METRICS.items():
        if name not in results.chance:  # the sweep is older than the metric
            continue
        if name == results.metric:
            value = own
        elif (pool := trials(results, standing.labels[s], standing.length, repeats, name)) is not None:
            value = pool.estimate
        else:
            continue
        mean = metric.sign * value.value
        if repeats == 1:
            found[name] = Interval(mean, None, None)
            continue
        half = float(stdtrit(repeats - 1, 0.975)) * value.error
        found[name] = Interval(mean, max(mean - half, 0.0), min(mean + half, metric.high))
    return found


def _ranks(estimates: list[Interval | None], sign: int) -> list[int | None]:
    values = [None if each is None else round(sign * each.mean, DIGITS) for each in estimates]
    known = [value for value in values if value is not None]
    return [None if value is None else 1 + sum(other > value for other in known) for value in values]


def _at_chance(results: Results, run: Run) -> bool:
    """Whether a trial finished at its end but learned nothing: its validation result is no better than guessing."""
    if run.outcome != "finished" or run.stopped:
        return False
    value, chance = run.value("validation", results.metric), results.chance.get(results.metric)
    if value is None or chance is None:
        return False
    return METRICS[results.metric].ahead(value, chance) <= 0
