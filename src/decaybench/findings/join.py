"""What a sweep has recorded; and several sweeps of one task joined into one, if their runs may be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from decaybench.errors import UserError
from decaybench.findings.selection import chance_of
from decaybench.findings.sweep import Sweep, read_sweeps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from decaybench.store import LookRow, RunRow, Stored

# What paired runs have in common: with another seed, other images or other splits, trial i is another trial.
_PROVENANCE: Final = ("data_sha256", "splits_sha256", "device", "steps_per_epoch")
_BUDGET: Final = ("repeats", "confirm_seeds", "lengths")
_DECIDE: Final = ("until",)
_SEARCH: Final = ("sampler", "seed", "prune")


@dataclass(frozen=True)
class Evidence:
    """A sweep, its rows, and epochs and traces as in `store.Stored`.

    The rows' ``strategy`` is the label in ``sweep``: NAME.LABEL for a label that several joined sweeps use.
    """

    sweep: Sweep
    runs: tuple[RunRow, ...]
    epochs: Mapping[str, NDArray[np.void]]
    traces: Mapping[str, NDArray[np.float32]]
    looks: tuple[tuple[LookRow, ...], ...]


def join(stored: Sequence[Stored]) -> Evidence:
    """The evidence of one sweep, or of several joined into one, with strategies in the order of the sweeps.

    Raises UserError, with sweep, key, rule and both values, if the sweeps differ in something that paired runs share.
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
        tuple(tuple(look for look in each.looks if look.length == max(sweep.lengths)) for each in stored),
    )


def _require_joinable(sweep: Sweep) -> None:
    """UserError unless the runs of all parts may be paired."""
    if twice := [name for name, times in Counter(part.name for part in sweep.parts).items() if times > 1]:
        raise UserError(f"report: a sweep cannot be joined with itself, got {twice[0]} twice")
    first = sweep.parts[0]
    known, theirs = first.file.spec(), first.provenance  # file.spec(), unlike the stored spec, holds all defaults
    for part in sweep.parts:
        spec, chance = part.file.spec(), chance_of(part.provenance)
        if (allocation := spec["search"]["allocation"]) != "balanced":
            raise UserError(
                f"sweep {part.name}: search.allocation: must be 'balanced' to be joined, got {allocation!r}"
            )
        search = (*_SEARCH, "batch") if known["search"]["sampler"] == "tpe" else _SEARCH
        tables: list[tuple[str, Mapping[str, Any], Mapping[str, Any], Sequence[str]]] = [
            ("task.", known["task"], spec["task"], sorted({*known["task"], *spec["task"]})),
            ("budget.", known["budget"], spec["budget"], _BUDGET),
            ("decide.", known["decide"], spec["decide"], _DECIDE),
            ("search.", known["search"], spec["search"], search),
            ("", theirs, part.provenance, _PROVENANCE),
            ("chance_", sweep.chance, chance, sorted(chance)),  # a sweep that is older than a metric has none of it
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
    """UserError if strategies of two sweeps search a shared parameter on different scales."""
    from decaybench.sweep.arms import check_paired
    from decaybench.sweep.values import RuleError

    try:
        check_paired([replace(arm, label=label) for label, arm in sweep.arms.items()])
    except RuleError as refused:
        raise UserError(f"sweep {sweep.name}: {'.'.join(refused.at)}: {refused.rule}") from None
