"""Where a sweep stands at its last look: from rows to the contest, its bounds and states, and what is trained next."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from decaybench import compare
from decaybench.compare import Contest, Decision, Look, Pair, Pooling, Taken, TooFew, Trials
from decaybench.findings.results import Results, Run
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    from decaybench.store import LookRow

STOPPED_BELOW = 1.0
"""How far below chance a stopped trial stands, so that validation never picks it: it has no result of its end."""


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

    @property
    def level(self) -> int:
        """How many looks were taken: the highest level of any strategy."""
        return 0 if self.contest is None else int(self.contest.levels.max())

    @property
    def taken(self) -> tuple[int, ...]:
        """The repeats after which looks were taken."""
        return tuple(look.repeats for look in self.looks[: self.level])


def closed(results: Results) -> dict[str, int]:
    """How many leading repeats each strategy has closed: all of their trials, at every length, have ended."""
    found = {}
    for strategy in results.strategies:
        label = strategy.label
        planned = results.sweep.slots(label)
        ended: dict[tuple[int, float], int] = {}
        for length in results.lengths:
            for run in results.of("search", label, length):
                ended[run.repeat, length] = ended.get((run.repeat, length), 0) + run.done
        repeat = 0
        while all(ended.get((repeat, length), 0) >= planned for length in results.lengths):
            repeat += 1
        found[label] = repeat
    return found


def looked_at(results: Results, looks: Sequence[LookRow]) -> dict[str, int]:
    """The repeats of each strategy that enter its numbers: those of the last look; before the first, closed ones."""
    if not looks:
        return closed(results)
    return {label: int(known["repeats"]) for label, known in looks[-1].strategies.items()}


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
    """The strategy's trials in its first ``repeats`` repeats; None where there is none, or one is unfinished.

    ``metric`` names the test result, by default the sweep's own; validation picks by the sweep's own either way. A
    diverged trial has chance for both, and a loss that was too large to be stored counts as chance.
    """
    n = results.sweep.slots(label)
    runs = {(run.repeat, run.slot): run for run in results.of("search", label, length) if run.repeat < repeats}
    grid = [[runs.get((repeat, slot)) for slot in range(n)] for repeat in range(repeats)]
    rows = [[run for run in row if run is not None and run.done] for row in grid]
    if not rows or any(len(row) < n for row in rows):
        return None
    told, own = METRICS[results.metric], METRICS[metric or results.metric]
    base = told.sign * results.chance.get(results.metric, 0.0)

    def of(run: Run, part: str, name: str) -> float:
        found = run.value(part, name)
        return results.chance[name] if found is None else found

    def validation(run: Run) -> float:
        return base - STOPPED_BELOW if run.stopped else told.sign * of(run, "validation", results.metric)

    def array(value: Callable[[Run], float | None]) -> NDArray[np.float64]:
        return np.array([[value(run) for run in row] for row in rows], dtype=np.float64)

    kind = pooling(results, label)
    return Trials(
        validation=array(validation),
        loss=array(lambda run: of(run, "validation", "loss")),
        test=array(lambda run: own.sign * of(run, "test", own.name)),
        pooling=kind,
        rate=array(lambda run: run.learning_rate) if kind == "strata" else None,
    )


def stand(
    results: Results, length: float, repeats: Mapping[str, int], looks: Sequence[LookRow], withheld: Sequence[Hashable] = ()
) -> Standing:
    """Where the sweep stands at one length, its strategies in so many leading ``repeats`` each.

    ``looks`` are those written so far, which say how much of the error each has spent; ``withheld`` are reasons for
    which nothing is stated.
    """
    labels = tuple(strategy.label for strategy in results.strategies)
    rules, metric = results.sweep.rules, METRICS[results.metric]
    planned = compare.planned(rules.start, rules.to, taken(looks))
    source: Literal["file", "default"] = "default" if results.sweep.task.rope is None else "file"
    found = [trials(results, label, length, repeats[label]) for label in labels]
    pools = [each for each in found if each is not None]
    if results.adaptive or len(pools) < len(labels):
        return Standing(length, labels, planned, None, results.sweep.task.rope, source, None, ())
    images = results.sweep.examples("test")
    control = None if rules.control is None else labels.index(rules.control)
    contest = Contest(pools, [repeats[label] for label in labels], planned, metric.finest(images), control)
    begun = min(contest.repeats) >= planned[0].repeats
    margin = results.sweep.task.rope
    if margin is None and begun:
        margin = compare.default_margin(contest, metric.margin(images))
    lacking = compare.too_few(contest, images)
    reason = lacking or tuple(withheld)
    decision = None
    if margin is not None and begun and not reason:
        chance = metric.sign * results.chance[results.metric]
        decision = compare.decide(contest, margin, rules.until, chance)
    pairs = tuple(compare.judge(contest, margin or 0.0, reason))
    return Standing(length, labels, planned, contest, margin, source, decision, pairs, lacking, tuple(withheld))
