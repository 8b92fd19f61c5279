"""A sweep's plan as plain numbers, after all checks that are possible before training."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from decaybench.optimizers import DEFAULT
from decaybench.runner.crew import choose_crew
from decaybench.runner.environment import Rarest, choose_device, prepare_environment, provenance
from decaybench.runner.estimate import estimate_seconds, shared_updates
from decaybench.sweep import Arm, Sweep, arms, ledger, long_warmups, most_pruned


@dataclass(frozen=True)
class PlanRow:
    """The budget of one strategy at one length; ``updates`` covers search, confirm and replay.

    In an adaptive sweep, one row per length holds the budget of all strategies: ``strategy`` says so, and ``searched``
    begins with "strategy".
    """

    strategy: str
    schedule: str
    family: str
    length: float
    epochs: int
    search_runs: int
    confirm_runs: int
    replay_runs: int
    updates: int
    searched: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The whole plan; ``seconds`` is estimated from a short measurement on ``device``, for ``workers`` processes.

    ``shared`` is the smallest share of the search's updates that is saved by computing identical parts of runs once.
    ``pruned`` is the largest share that pruning is expected to save. ``notes`` are lines about settings that are legal
    but hardly intended.
    """

    name: str
    device: str
    examples: dict[str, int]
    classes: int
    smallest_class: Rarest
    steps_per_epoch: int
    rows: tuple[PlanRow, ...]
    runs: int
    updates: int
    workers: int
    shared: float
    pruned: float
    seconds: float
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able dicts and lists."""
        return asdict(self)


def check_sweep(sweep: Sweep, *, data_root: Path | None, device: str) -> Plan:
    """Check a sweep against its data, model and device; UserError if it does not fit. Writes only the image cache."""
    environment = prepare_environment(sweep, data_root, choose_device(device))
    crew = choose_crew(sweep, environment, None, None)
    facts = provenance(sweep, environment, crew.width, crew.workers)
    shared = shared_updates(sweep, environment)
    built = arms(sweep)
    rows = []
    for entry in ledger(sweep, facts["steps_per_epoch"]):
        takers = [arm for arm in built if entry.strategy in (arm.label, None)]
        rows.append(
            PlanRow(
                entry.strategy or f"any of {len(built)} (shared trials)",
                ", ".join(dict.fromkeys(_kind(arm) for arm in takers)),
                ", ".join(dict.fromkeys(arm.family for arm in takers)),
                entry.length,
                sweep.epochs(entry.length),
                entry.slots,
                entry.confirm_seeds,
                entry.replays,
                entry.updates,
                _searched(takers, entry.strategy),
            )
        )
    return Plan(
        name=sweep.name,
        device=environment.device.type,
        examples=facts["examples"],
        classes=environment.data.classes,
        smallest_class=environment.rarest,
        steps_per_epoch=facts["steps_per_epoch"],
        rows=tuple(rows),
        runs=sum(row.search_runs + row.confirm_runs + row.replay_runs for row in rows),
        updates=sum(row.updates for row in rows),
        workers=crew.workers,
        shared=shared,
        pruned=most_pruned(sweep),
        seconds=estimate_seconds(sweep, environment, crew, shared),
        notes=long_warmups(sweep, facts["steps_per_epoch"]),
    )


def _kind(arm: Arm) -> str:
    """The arm's schedule, and its optimizer unless it is the default one."""
    return arm.kind if arm.optimizer == DEFAULT else f"{arm.kind} ({arm.optimizer})"


def _searched(takers: Sequence[Arm], strategy: str | None) -> tuple[str, ...]:
    """The names of searched parameters: for one strategy as in its table, for all strategies as in the study."""
    names = [dimension.name for arm in takers for dimension in arm.space]
    if strategy is None:
        return ("strategy", *dict.fromkeys(names))
    return tuple(name.removeprefix(f"{strategy}.") for name in names)
