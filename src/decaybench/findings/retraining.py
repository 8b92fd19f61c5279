"""Retraining: which configurations are trained again, which one validation chooses, and how it fares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from decaybench.compare import Interval, wilson
from decaybench.findings.results import DIGITS, Results, Run
from decaybench.findings.standing import Standing
from decaybench.metrics import METRICS

_NEXT = 2


@dataclass(frozen=True)
class Retrained:
    """A strategy's configurations, retrained on fresh seeds at the longest length.

    ``configurations`` are the trials with the best validation, the best first. The best mean validation over the
    ``choosing`` runs makes one of them ``chosen``; None while such a run is missing. Only ``further`` runs of the
    chosen one are reported. ``mean`` is their mean test result, in the metric's own unit, diverged ones at chance; None
    while one is missing. A choosing run has failed if it diverged, or if its validation is below half-way between
    chance and the trial's own.
    """

    label: str
    configurations: tuple[Run, ...]
    choosing: tuple[Run, ...]
    chosen: Run | None
    further: tuple[Run, ...]
    mean: float | None
    failures: int

    @property
    def failing(self) -> Interval:
        """The share of the choosing runs that failed, with its Wilson interval."""
        return wilson(self.failures, len(self.choosing))


def candidates(results: Results, standing: Standing) -> tuple[str, ...]:
    """The strategies to retrain, the one to take first.

    The pick (without one the leader; without a look the one with the best estimate), the control, the best of either
    family, and the `next_two`, which may be among these.
    """
    if not (order := _by_bound(standing)):
        return ()
    wanted = {order[0], *next_two(standing)}
    families: dict[str, list[int]] = {}
    for s in order:
        strategy = results.strategies[s]
        families.setdefault(strategy.family, []).append(s)
        if strategy.control:
            wanted.add(s)
    wanted |= {families[family][0] for family in ("fixed", "reactive") if family in families}
    return tuple(standing.labels[s] for s in order if s in wanted)


def next_two(standing: Standing) -> tuple[int, ...]:
    """The two strategies that follow the one to take by bound, if within twice the margin and not ruled out."""
    contest, decided, margin = standing.contest, standing.decision, standing.margin
    if contest is None or decided is None or margin is None:
        return ()
    near = [s for s in _by_bound(standing)[1:] if decided.states[s] != "ruled out"]
    return tuple(s for s in near if contest.bounds[s] <= 2 * margin)[:_NEXT]


def _by_bound(standing: Standing) -> list[int]:
    """All strategies: the leader, then by bound, of equal ones by estimate; before the first look all by estimate."""
    contest, decided = standing.contest, standing.decision
    if contest is None:
        return []

    def key(s: int) -> tuple[bool, float, float]:
        worth = round(standing.estimate(s).value, DIGITS)
        return (False, 0.0, -worth) if decided is None else (s != decided.leader, float(contest.bounds[s]), -worth)

    return sorted(range(len(standing.labels)), key=key)


def configurations(results: Results, labels: Sequence[str], most: int) -> tuple[Run, ...]:
    """The ``most`` trials of these strategies with the best validation whose configurations differ, the best first."""
    found: dict[str, Run] = {}
    pool = [run for label in labels for run in results.trials(label, results.longest) if run.rank is not None]
    for run in sorted(pool, key=_rank):
        key = json.dumps([run.strategy, dict(run.params)], sort_keys=True)
        found.setdefault(key, run)
        if len(found) == most:
            break
    return tuple(found.values())


def choose(results: Results, places: Sequence[Run]) -> Run | None:
    """The configuration with the best mean validation over its choosing runs; None while one of them is missing."""
    metric, seeds = METRICS[results.metric], set(results.sweep.confirm_seeds(further=False))
    means = []
    for trial in places:
        runs = [run for run in _of(results, trial) if run.seed in seeds and run.done]
        if len(runs) < len(seeds) or not seeds:
            return None
        values = [value for run in runs if (value := run.value("validation", results.metric)) is not None]
        means.append(metric.sign * round(float(np.mean(values)), DIGITS))
    return places[int(np.argmax(means))] if means else None  # of equal ones the first


def retraining(results: Results, label: str) -> Retrained | None:
    """What retraining shows of a strategy; None where nothing of it is retrained.

    The configurations of an adaptive sweep may be of several strategies: each shows its own.
    """
    rows = results.of("confirm", label, results.longest)
    if not rows:
        return None
    seeds = [set(results.sweep.confirm_seeds(further=further)) for further in (False, True)]
    trials = {(run.repeat, run.slot): run for run in results.of("search", label, results.longest)}
    picked = dict.fromkeys((run.repeat, run.slot) for run in rows if run.seed in seeds[0])
    places = sorted((trials[place] for place in picked if place in trials), key=_rank)
    choosing = [run for run in rows if run.seed in seeds[0] and run.done]
    chosen = choose(results, places)
    further = [run for run in _of(results, chosen) if run.seed in seeds[1] and run.done] if chosen else []
    values = [value for run in further if (value := run.value("test", results.metric)) is not None]
    complete = len(further) == len(seeds[1]) > 0
    return Retrained(
        label=label,
        configurations=tuple(places),
        choosing=tuple(choosing),
        chosen=chosen,
        further=tuple(further),
        mean=float(np.mean(values)) if complete and values else None,
        failures=sum(_failed(results, run, trials) for run in choosing),
    )


def _rank(trial: Run) -> tuple[float, ...]:
    return trial.rank or ()


def _of(results: Results, trial: Run) -> list[Run]:
    """The runs that retrain a trial's configuration."""
    runs = results.of("confirm", trial.strategy, trial.length)
    return [run for run in runs if (run.repeat, run.slot) == (trial.repeat, trial.slot)]


def _failed(results: Results, run: Run, trials: Mapping[tuple[int, int], Run]) -> bool:
    own, found = (each.value("validation", results.metric) for each in (trials[run.repeat, run.slot], run))
    if run.diverged or own is None or found is None:
        return True
    metric, chance = METRICS[results.metric], results.chance.get(results.metric)
    return chance is not None and metric.ahead(found, (chance + own) / 2) < 0
