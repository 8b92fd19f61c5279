"""What a sweep has recorded, and sweeps of one task as one, where runs of the one may be compared with the other's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from decaybench.errors import UserError
from decaybench.findings.sweep import Sweep, read_sweeps
from decaybench.metrics import METRICS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from decaybench.store import RunRow, Stored

# What paired runs have in common: with another seed, other images or other splits slot i is another slot.
_PROVENANCE: Final = (
    *("data_sha256", "splits_sha256", "device", "steps_per_epoch"),
    *(f"chance_{metric}" for metric in METRICS),
)
_BUDGET: Final = ("repeats", "confirm_seeds", "lengths")
_SEARCH: Final = ("sampler", "seed", "prune")


@dataclass(frozen=True)
class Evidence:
    """A sweep, its rows with what its strategies are called here, and epochs and traces as in `store.Stored`."""

    sweep: Sweep
    runs: tuple[RunRow, ...]
    epochs: Mapping[str, NDArray[np.void]]
    traces: Mapping[str, NDArray[np.float32]]


def join(stored: Sequence[Stored]) -> Evidence:
    """The evidence of one sweep, or of several as of one; the strategies stand in the order of the sweeps.

    Raises UserError, with sweep, key, rule and both values, where something differs that runs must share to be paired.
    """
    sweep = read_sweeps([each.sweep for each in stored])
    runs = [run for each in stored for run in each.runs]
    if sweep.joined:
        _require_joinable(sweep)
        owned = zip(sweep.parts, stored, strict=True)
        runs = [replace(run, strategy=part.labels[run.strategy]) for part, each in owned for run in each.runs]
    return Evidence(
        sweep,
        tuple(runs),
        {run: epochs for each in stored for run, epochs in each.epochs.items()},
        {run: rates for each in stored for run, rates in each.traces.items()},
    )


def _require_joinable(sweep: Sweep) -> None:
    """UserError unless the runs of all may be paired."""
    if twice := [name for name, times in Counter(part.name for part in sweep.parts).items() if times > 1]:
        raise UserError(f"report: a sweep is joined with others, never with itself, got {twice[0]} twice")
    first = sweep.parts[0]
    known, theirs = first.file.spec(), first.provenance  # with all that a spec leaves to a default
    for part in sweep.parts:
        spec = part.file.spec()
        if (allocation := spec["search"]["allocation"]) != "balanced":
            raise UserError(
                f"sweep {part.name}: search.allocation: must be 'balanced' to be joined, got {allocation!r}"
            )
        search = (*_SEARCH, "batch") if known["search"]["sampler"] == "tpe" else _SEARCH
        tables: list[tuple[str, Mapping[str, Any], Mapping[str, Any], Sequence[str]]] = [
            ("task.", known["task"], spec["task"], sorted({*known["task"], *spec["task"]})),
            ("budget.", known["budget"], spec["budget"], _BUDGET),
            ("search.", known["search"], spec["search"], search),
            ("", theirs, part.provenance, _PROVENANCE),
        ]
        for table, before, ours, keys in tables:
            for key in keys:
                if before.get(key) != ours.get(key):
                    raise UserError(
                        f"sweep {part.name}: {table}{key}: must be that of {first.name}, {before.get(key)!r},"
                        f" to be joined with it, got {ours.get(key)!r}"
                    )
    _require_paired(sweep)


def _require_paired(sweep: Sweep) -> None:
    """UserError where strategies of two sweeps search a parameter that they share on different scales."""
    from decaybench.sweep.arms import check_paired
    from decaybench.sweep.values import RuleError

    try:
        check_paired([replace(arm, label=label) for label, arm in sweep.arms.items()])
    except RuleError as refused:
        raise UserError(f"sweep {sweep.name}: {'.'.join(refused.at)}: {refused.rule}") from None
