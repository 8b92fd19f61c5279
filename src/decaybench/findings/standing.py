"""Where a sweep stands at its last look: from rows to the contest, its bounds and states, and what is trained next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.compare import Contest, Decision, Estimate, Look, Pair, Pooling, Taken, TooFew, Trials
from decaybench.findings.results import Results, Run
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.store import LookRow

STOPPED_BELOW = 1.0
"""How far below chance a stopped trial stands, so that validation never picks it: it has no result of its end."""
WORST_LOSS = 1e200
"""Stands for a loss that a trial does not have, where trials with an equal metric are compared by loss."""


@dataclass(frozen=True)
class Standing:
    """What the looks show at one length; strategies by their index in ``labels``, the sweep file's order.

    ``contest`` is None until every strategy has closed a repeat. ``decision`` is None before the first look, and where
    there are estimates only, because of ``lacking`` or ``withheld``. ``margin`` is in the metric's unit, and comes from
    the sweep file or, by default, from the spread at the first look.
    """

    length: float
    labels: tuple[str, ...]
    looks: tuple[Look, ...]
    contest: Contest | None
    margin: float | None
    margin_source: Literal["file", "default"]
    decision: Decision | None
    pairs: tuple[Pair, ...]
    lacking: TooFew | None = None
    withheld: tuple[Hashable, ...] = ()

    def estimate(self, strategy: int) -> Estimate:
        """A strategy's estimate at its last look; before its first, that of all its closed repeats."""
        assert self.contest is not None
        looked = self.contest.levels[strategy] > 0
        return self.contest.estimate(strategy) if looked else self.contest.trials[strategy].estimate

    @property
    def level(self) -> int:
        """How many looks were taken: the highest level of any strategy."""
        return 0 if self.contest is None else int(self.contest.levels.max())

    @property
    def taken(self) -> tuple[int, ...]:
        """The repeats after which looks were taken; none where there are estimates only."""
        if self.decision is None:
            return ()
        return tuple(look.repeats for look in self.looks[: self.level])


def planned(results: Results) -> tuple[Look, ...]:
    """Every look of the sweep, taken or to come; of joined sweeps, those that all of them have in common.

    A look is in common when each has spent the same share of the error by it, so that what is said of all together
    holds as well.
    """
    rules = results.sweep.rules
    own = [compare.planned(rules.start, rules.to, taken(looks)) for looks in results.looks]
    common = takewhile(lambda here: len(set(here)) == 1, zip(*own, strict=False))
    return tuple(here[0] for here in common)


def taken(looks: Sequence[LookRow]) -> tuple[Taken, ...]:
    """Every look that some strategy has taken, with the ``to`` that was in force when it first was."""
    first: dict[int, int] = {}
    for row in looks:
        for known in row.strategies.values():
            first.setdefault(int(known["repeats"]), row.to_repeats)
    return tuple(Taken(repeats, to) for repeats, to in sorted(first.items()))


def pooling(results: Results, label: str) -> Pooling:
    """How the strategy's trials make up a search: see `compare.Pooling`."""
    search, arm = results.sweep.search, results.sweep.arms[label]
    if search.sampler == "tpe" or search.prune is not None:
        return "winners"
    searched = {dimension.name for dimension in arm.space if dimension.shared}
    return "strata" if search.sampler == "sobol" and "learning_rate" in searched else "independent"


def trials(results: Results, label: str, length: float, repeats: int, metric: str | None = None) -> Trials | None:
    """The strategy's trials in its first ``repeats`` repeats.

    None where there is none, where one is unfinished, and where one was trained before the program had the metric.

    ``metric`` names the test result, by default the sweep's own; validation picks by the sweep's own either way, as
    `selection.rank` says. A diverged trial has chance for both, and a loss that was too large to be stored counts as
    chance.
    """
    n = results.sweep.trials(label)
    runs = {(run.repeat, run.slot): run for run in results.of("search", label, length) if run.repeat < repeats}
    grid = [[runs.get((repeat, slot)) for slot in range(n)] for repeat in range(repeats)]
    rows = [[run for run in row if run is not None and run.done] for row in grid]
    if not rows or any(len(row) < n for row in rows):
        return None
    told, own = METRICS[results.metric], METRICS[metric or results.metric]
    if any(run.value("validation", own.name) is None for row in rows for run in row):
        return None
    base = told.sign * results.chance.get(results.metric, 0.0)

    def test(run: Run) -> float:
        found = run.value("test", own.name)
        return own.sign * (results.chance[own.name] if found is None else found)

    def validation(run: Run) -> float:
        return base - STOPPED_BELOW if run.rank is None else -run.rank[0]

    def loss(run: Run) -> float:
        return WORST_LOSS if run.rank is None else min(run.rank[1], WORST_LOSS)

    def array(value: Callable[[Run], float | None]) -> NDArray[np.float64]:
        return np.array([[value(run) for run in row] for row in rows], dtype=np.float64)

    kind = pooling(results, label)
    return Trials(
        validation=array(validation),
        loss=array(loss),
        test=array(test),
        pooling=kind,
        rate=array(lambda run: run.learning_rate) if kind == "strata" else None,
    )


def stand(results: Results, length: float, withheld: Sequence[Hashable] = ()) -> Standing:
    """Where the sweep stands at one length; ``withheld`` are reasons for which nothing is stated.

    Only what a look has seen is decided: a look that is written, or the one that is being taken.
    """
    labels = tuple(strategy.label for strategy in results.strategies)
    metric, margin, looks = METRICS[results.metric], results.sweep.task.rope, planned(results)
    source: Literal["file", "default"] = "default" if margin is None else "file"
    found = [] if results.adaptive else [trials(results, label, length, results.repeats[label]) for label in labels]
    pools = [each for each in found if each is not None]
    if len(pools) < len(labels) or not looks:
        return Standing(length, labels, looks, None, margin, source, None, (), None, tuple(withheld))
    images, rules = results.sweep.examples("test"), results.sweep.rules
    control = None if rules.control is None else labels.index(rules.control)
    contest = Contest(pools, [each.repeats for each in pools], looks, metric.finest(images), control)
    lacking = compare.too_few(contest, images)
    reason = tuple(withheld) or lacking or ()
    if not reason and results.at is None and not all(results.looks):
        # Until the first look is written, `to` and `trials` may still change, so its repeats state nothing yet.
        contest = replace(contest, repeats=[min(each, looks[0].repeats - 1) for each in contest.repeats])
    begun = min(contest.repeats) >= looks[0].repeats
    if margin is None and begun:
        margin = compare.default_margin(contest, metric.margin(images))
    decision = None
    if margin is not None and begun and not reason:
        decision = compare.decide(contest, margin, rules.until, metric.sign * results.chance[results.metric])
    pairs = tuple(compare.judge(contest, margin or 0.0, reason))
    return Standing(length, labels, looks, contest, margin, source, decision, pairs, lacking, tuple(withheld))
