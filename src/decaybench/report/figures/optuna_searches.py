"""The search of each strategy, for Optuna's plots: from our tables, never from the study in the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from decaybench.findings.results import Results, Run
from decaybench.findings.sweep import Strategy
from decaybench.metrics import METRICS
from decaybench.shared import BY_DIMENSION, SHARED

if TYPE_CHECKING:
    from decaybench.search.views import Direction, Search

# On a logarithmic scale, a parameter has the name of its dimension: momentum is shown as its distance from 1.
_BY_NAME = {shared.name: shared for shared in SHARED}
_NAMES = tuple(dict.fromkeys(name for shared in SHARED for name in (shared.dimension, shared.name)))


class Scale(NamedTuple):
    """How a field of a strategy was searched."""

    log: bool
    choice: bool


def by_strategy(results: Results) -> tuple[Search, ...]:
    """Each strategy's trials in the repeats looked at, at the longest length, in the plan's order, no stopped ones.

    Only searched parameters are included, in native units and with their names in the study, without the label.
    Results are in percent or nats.
    """
    from decaybench.search.views import Axis, Point, Search

    found = []
    for strategy in results.strategies:
        runs = _done(results, strategy)
        given = dict.fromkeys(name for run in runs for name in run.params)
        searched = _scales(results, strategy)
        scales = {name: searched.get(name, Scale(False, False)) for name in given}
        rows = [dict(_flat(run.params, scales)) for run in runs]
        names = sorted({name for row in rows for name in row}, key=lambda name: (name not in _NAMES, name))
        # a value that never changes was not searched
        kept = [name for name in names if len({repr(row.get(name)) for row in rows}) > 1]
        axes = [Axis(name, *_axis(name, scales)) for name in kept]
        points = [
            Point({name: row[name] for name in kept if name in row}, _value(results, run))
            for row, run in zip(rows, runs, strict=True)
        ]
        found.append(Search(strategy.label, _direction(results), axes, points))
    return tuple(found)


def together(results: Results, searches: tuple[Search, ...]) -> Search:
    """All trials as one search: the strategy, and the parameters that strategies share."""
    from decaybench.search.views import Axis, Point, Search

    axes = [Axis("strategy", choice=True)]
    for name in _NAMES:
        same = [axis for search in searches for axis in search.axes if axis.name == name]
        axes += same[:1]
    names = {axis.name for axis in axes}
    rows = [
        ((run.repeat, run.slot, place), Point({"strategy": search.label, **point.params}, point.value))
        for place, (strategy, search) in enumerate(zip(results.strategies, searches, strict=True))
        for run, point in zip(_done(results, strategy), search.points, strict=True)
    ]
    points = [
        Point({name: value for name, value in point.params.items() if name in names}, point.value)
        for _, point in sorted(rows, key=lambda row: row[0])
    ]
    return Search(results.sweep.name, _direction(results), axes, points)


def _done(results: Results, strategy: Strategy) -> list[Run]:
    return [run for run in results.trials(strategy.label, results.longest) if run.done and not run.stopped]


def _direction(results: Results) -> Direction:
    return METRICS[results.metric].direction


def _value(results: Results, run: Run) -> float:
    value = run.value("validation", results.metric)
    assert value is not None  # it is done
    return METRICS[results.metric].factor * value


def _flat(params: Mapping[str, Any], scales: Mapping[str, Scale]) -> Iterator[tuple[str, Any]]:
    """A run's parameters as in the study: momentum as its distance from 1, zero as a switch, lists by item."""
    for name, value in params.items():
        if value is None:
            continue
        if isinstance(value, list):
            yield f"{name}.count", len(value)
            yield from ((f"{name}.{place}", item) for place, item in enumerate(value, 1))
        elif not scales[name].log:
            yield name, value
        elif (shared := _BY_NAME.get(name)) is not None and shared.one_minus:
            yield shared.dimension, round(shared.to_searched(value), 15)
        elif value == 0:
            yield f"{name}.zero", True
        else:
            yield f"{name}.zero", False
            yield name, value


def _axis(name: str, scales: Mapping[str, Scale]) -> Scale:
    if (shared := BY_DIMENSION.get(name)) is not None:
        return scales[shared.name]
    field, _, part = name.partition(".")
    return Scale(False, False) if part in ("count", "zero") else scales[field]


def _scales(results: Results, strategy: Strategy) -> dict[str, Scale]:
    """How the searched parameters of the strategy were searched, by their names in ``params``."""
    found = {}
    for dimension in results.sweep.arms[strategy.label].space:
        shared = BY_DIMENSION.get(dimension.name)
        name = dimension.name.rpartition(".")[2] if shared is None else shared.name
        found[name] = Scale(dimension.range.log, dimension.range.choices is not None)
    return found
