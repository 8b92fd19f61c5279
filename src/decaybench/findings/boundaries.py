"""Best configurations at the search-space boundary: the range was too narrow, and the answer may lie outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from decaybench.compare import edge
from decaybench.findings.results import Results, Run
from decaybench.metrics import METRICS
from decaybench.shared import BY_DIMENSION


class Boundary(NamedTuple):
    """A searched parameter whose best values lie at one ``end`` ("low" or "high") of its range.

    ``bound`` is that end. ``flagged`` of the ``repeats`` best configurations lie there, while results still improved
    towards it.
    """

    label: str
    length: float
    parameter: str
    end: str
    bound: float
    flagged: int
    repeats: int


def boundaries(results: Results) -> list[Boundary]:
    """Every parameter for which a best configuration is flagged, in the order of the sweep file.

    Choices have no ends. A 0 that a range allows in addition (``zero_or``) has no place between its ends.
    """
    found = []
    for length in results.lengths:
        for strategy in results.strategies:
            slots = [run for run in results.trials(strategy.label, length) if not run.stopped]
            winners = results.best(strategy.label, length)
            for span in _ranges(results, strategy.label, length):
                ends = [
                    _end(results, span, winner, [slot for slot in slots if slot.repeat == winner.repeat])
                    for winner in winners
                ]
                found += [
                    Boundary(strategy.label, length, span.name, end, bound, ends.count(end), len(ends))
                    for end, bound in (("low", span.low), ("high", span.high))
                    if end in ends
                ]
    return found


class _Span(NamedTuple):
    """A searched range, with the name and units of ``params``; ``positive`` means that 0 has no place in it."""

    name: str
    low: float
    high: float
    log: bool
    positive: bool


def _ranges(results: Results, label: str, length: float) -> list[_Span]:
    arm, of = results.sweep.arms[label], results.sweep.size(length)
    found = []
    for dimension in arm.space:
        span = dimension.range
        # The entries of a list are drawn together, and choices have no order: neither has ends.
        if span.choices is not None or span.count is not None:
            continue
        name = dimension.name.rpartition(".")[2]
        low, high = float(span.low), float(span.high)
        if not dimension.shared:
            if of is None:
                continue
            if dimension.follows_run:
                span = arm.schedule_class.range_of(name, epochs=of.epochs) or span
            sizes = {"total_steps": of.total_steps, "steps_per_epoch": of.steps_per_epoch}
            low, high = sorted(float(span.to_native(end, **sizes)) for end in (span.low, span.high))
        if low < high:
            found.append(_Span(name, low, high, span.log, span.log or span.zero_or))
    return found


def _end(results: Results, span: _Span, winner: Run, slots: Sequence[Run]) -> str | None:
    known = [
        (value, result)
        for slot in slots
        if (value := _value(slot, span)) is not None
        and (result := slot.value("validation", results.metric)) is not None
    ]
    at = _value(winner, span)
    if at is None or not known:
        return None
    values, found = zip(*known, strict=True)
    return edge(
        values, found, at, span.low, span.high, span.log, lower_is_better=METRICS[results.metric].lower_is_better
    )


def _value(run: Run, span: _Span) -> float | None:
    """The run's value of the parameter; None if it has no place in the range."""
    shared = BY_DIMENSION.get(span.name)
    found = run.params.get(shared.name if shared else span.name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    value = shared.to_searched(float(found)) if shared else float(found)
    return value if value > 0 or not span.positive else None
