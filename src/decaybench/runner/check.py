"""A sweep's plan as plain numbers, after all checks that are possible before training."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from decaybench import store
from decaybench.compare import LEAST, Taken, planned
from decaybench.errors import UserError
from decaybench.findings.standing import taken
from decaybench.optimizers import DEFAULT
from decaybench.runner.crew import choose_crew
from decaybench.runner.environment import Rarest, choose_device, prepare_environment, provenance
from decaybench.runner.estimate import Cost, costs, shared_updates, testing_share
from decaybench.runner.rerun import require_extension, what_is_left
from decaybench.sweep import Arm, Sweep, arms, ledger, long_warmups, most_pruned, shares_slots


@dataclass(frozen=True)
class PlanRow:
    """The trials of one strategy at one length, up to the first look (``least``) and to the last (``most``).

    ``updates`` are those of one run. In an adaptive sweep, one row stands for all strategies: ``strategy`` says so, and
    ``searched`` begins with "strategy".
    """

    strategy: str
    schedule: str
    family: str
    length: float
    epochs: int
    least: int
    most: int
    updates: int
    searched: tuple[str, ...]


class Trained(NamedTuple):
    """What the database holds of a sweep: trials that have ended, and looks."""

    trials: int
    looks: int


@dataclass(frozen=True)
class Plan:
    """The whole plan; times are estimated from a short measurement on ``device``, for ``workers`` processes.

    ``looks`` are the repeats after which a sweep is judged, ``costs`` the least, the likely and the most that it costs.
    ``testing`` is the share of the time that testing takes. ``shared`` is the smallest share of the search's updates
    that is saved by computing identical parts of runs once; ``pruned`` the largest that pruning is expected to save.
    ``trained`` is None if the database has no trials of a sweep of that name. ``notes`` are lines about settings that
    are legal but hardly intended, and about that sweep.
    """

    name: str
    device: str
    examples: dict[str, int]
    classes: int
    smallest_class: Rarest
    steps_per_epoch: int
    rows: tuple[PlanRow, ...]
    looks: tuple[int, ...]
    costs: dict[str, Cost]
    workers: int
    testing: float
    shared: float
    pruned: float
    trained: Trained | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able dicts and lists."""
        costs = {name: cost._asdict() for name, cost in self.costs.items()}
        return asdict(self) | {"costs": costs, "trained": self.trained and self.trained._asdict()}


def check_sweep(sweep: Sweep, *, data_root: Path | None, device: str, url: str | None = None) -> Plan:
    """Check a sweep against its data, model and device; UserError if it does not fit. Writes only the image cache.

    The notes say what a sweep of that name in the database at ``url`` would change.
    """
    environment = prepare_environment(sweep, data_root, choose_device(device))
    crew = choose_crew(sweep, environment, None, None)
    facts = provenance(sweep, environment, crew.width, crew.workers)
    shared = shared_updates(sweep, environment)
    repeats, (looked, known, trained) = sweep.budget.repeats, _known(sweep, url)
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
                entry.least,
                entry.most,
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
        looks=tuple(look.repeats for look in planned(repeats.start, repeats.to, looked)),
        costs=costs(sweep, environment, crew, shared),
        workers=crew.workers,
        testing=testing_share(sweep, environment),
        shared=shared,
        pruned=most_pruned(sweep),
        trained=trained,
        notes=(
            *long_warmups(sweep, facts["steps_per_epoch"]),
            *undecided(sweep, facts["examples"]["test"]),
            *known,
        ),
    )


def _known(sweep: Sweep, url: str | None) -> tuple[tuple[Taken, ...], tuple[str, ...], Trained | None]:
    """The sweep in the database at ``url``: the looks taken there, lines on what the file changes, what is trained.

    A line says why the file would be refused, in which case no looks are given, or what a change of ``to`` leaves.
    """
    if url is None or (existing := store.find_storage(store.absolute(url))) is None:
        return (), (), None
    with existing:
        if (stored := store.sweep_row(existing, sweep.name)) is None:
            return (), (), None
        looks, counts = store.looks(existing, sweep.name), store.progress(existing, sweep.name)
    trials = sum(each.finished + each.diverged for each in counts if each.phase == "search")
    trained = Trained(trials, len({look.step for look in looks})) if trials else None
    try:
        require_extension(sweep, stored, looks)
    except UserError as refused:
        return (), (f"cannot be run: {refused}",), trained
    left = what_is_left(sweep, stored, looks)
    return taken(looks), () if left is None else (left,), trained


def undecided(sweep: Sweep, test_images: int) -> tuple[str, ...]:
    """Lines about what a sweep leaves undecided, whatever it trains."""
    found = {"trials": sweep.budget.trials, "repeats": sweep.budget.repeats.start, "test images": test_images}
    few = [f"{found[what]} {what} (at least {least})" for what, least in LEAST.items() if found[what] < least]
    if few and not shares_slots(sweep):
        return (f"too few for statements, so the sweep ends at its first look with estimates: {', '.join(few)}",)
    if sweep.decide.until == "all":
        return ('decide.until = "all" often needs all repeats: strategies that are nearly equal stay open',)
    return ()


def _kind(arm: Arm) -> str:
    """The arm's schedule, and its optimizer and average unless they are the defaults."""
    return arm.kind if arm.method == DEFAULT else f"{arm.kind} ({arm.method})"


def _searched(takers: Sequence[Arm], strategy: str | None) -> tuple[str, ...]:
    """The names of searched parameters: for one strategy as in its table, for all strategies as in the study."""
    names = [dimension.name for arm in takers for dimension in arm.space]
    if strategy is None:
        return ("strategy", *dict.fromkeys(names))
    return tuple(name.removeprefix(f"{strategy}.") for name in names)
