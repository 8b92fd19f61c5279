"""The answer as data: what ``decision.json`` and ``decaybench status NAME --json`` hold."""

from __future__ import annotations

from typing import Any

from decaybench.findings.results import DIGITS
from decaybench.findings.summary import Row, Summary


def decision(summary: Summary) -> dict[str, Any]:
    """Where the sweep stands at its last look, JSON-able.

    Differences and bounds are in the metric's unit; a positive difference favours a. ``low`` and ``high`` of a strategy
    are its unadjusted 95% interval, of a pair its repeated one. A number that does not exist is null.
    """
    results = summary.results
    lengths = [results.longest, *(length for length in results.lengths if length != results.longest)]
    first, *others = (_at(summary, length) for length in lengths)
    return {
        "sweep": results.sweep.name,
        **first,
        "other_lengths": others,
    }


def _at(summary: Summary, length: float) -> dict[str, Any]:
    results, standing, picked = summary.results, summary.standings[length], summary.pick(length)
    return {
        "metric": results.metric,
        "length": length,
        "trials": results.sweep.trials(results.strategies[0].label),
        "margin": _rounded(standing.margin),
        "margin_source": standing.margin_source,
        "settled": standing.decision is not None and standing.decision.settled,
        "pick": None if picked is None else picked.strategy.label,
        "looks": list(standing.taken),
        "trainings": summary.trainings,
        "strategies": {row.strategy.label: _strategy(row, results.metric) for row in summary.at(length)},
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "repeats": pair.repeats,
                "difference": _rounded(pair.difference),
                "se": _rounded(pair.error),
                "low": _rounded(pair.low),
                "high": _rounded(pair.high),
                "p_adjusted": _rounded(pair.p_adjusted),
                "verdict": pair.verdict,
            }
            for pair in summary.pairs
            if pair.length == length
        ],
    }


def _strategy(row: Row, metric: str) -> dict[str, Any]:
    found, retrained = row.estimates[metric], row.retrained
    return {
        "repeats": row.repeats,
        "estimate": _rounded(found.mean if found else None),
        "low": _rounded(found.low if found else None),
        "high": _rounded(found.high if found else None),
        "bound": _rounded(row.bound),
        "state": row.state,
        "parked": row.parked,
        "retrained": _rounded(retrained.mean if retrained else None),
        "retrained_runs": len(retrained.further) if retrained else 0,
        "chosen_of": len(retrained.configurations) if retrained else 0,
        "failures": retrained.failures if retrained else 0,
    }


def _rounded(value: float | None) -> float | None:
    """To as many decimals as numbers are compared by: the same on every machine."""
    return None if value is None else round(value, DIGITS)
