"""The cost of a sweep on this machine: its time, and the updates saved for runs that begin alike."""

import numpy as np
from numpy.typing import NDArray

from decaybench.runner.crew import Crew
from decaybench.runner.environment import Environment
from decaybench.runner.measure import measure
from decaybench.runner.proposals import Proposals
from decaybench.schedules import Fixed, Reactive
from decaybench.schedules.bank import fixed_scales
from decaybench.shared import SHARED
from decaybench.sweep import RunParameters, Size, Sweep, arms, ledger, plan_search, resolve, shares_slots, size

FAMILIES = 100  # how many families of runs that may begin alike are examined; the rest are assumed to be similar


def estimate_seconds(sweep: Sweep, environment: Environment, crew: Crew, shared: float) -> float:
    """Seconds to train the whole sweep with this crew, if a share ``shared`` of the search's updates is saved.

    Starting the program, loading data and writing the report are not included.
    """
    task, data = sweep.task, environment.data
    speed = measure(task, environment)
    steps = size(sweep, len(data.train), 1.0).steps_per_epoch
    batch = len(data.train) if task.batch_size == "full" else task.batch_size
    # A forward pass costs about a third of a forward and a backward pass.
    validation = len(data.validation) / 3 / (steps * batch)
    updates = 0.0
    for row in ledger(sweep, steps):
        search = row.updates * row.slots / (row.slots + row.confirm_seeds + row.replays)
        updates += row.updates - search * shared
    return updates * (1 + validation) * speed.seconds / crew.workers


def shared_updates(sweep: Sweep, environment: Environment) -> float:
    """The least share of the search's updates, in [0, 1), that is saved because runs begin alike.

    The learning rates of fixed schedules are known beforehand. Those of a reactive rule that observes epochs are known
    for the first epoch only, in which it does nothing. The share is 0 if nothing is known (with a sampler that learns,
    or if strategies share their trials), if pruning keeps strategies apart, and on a GPU, where runs do not share
    updates.
    """
    unknown = sweep.search.sampler == "tpe" or sweep.search.prune is not None or shares_slots(sweep)
    if unknown or environment.device.type != "cpu":
        return 0.0

    def length(share: float) -> Size:
        return size(sweep, len(environment.data.train), share)

    known = {arm.label: arm for arm in arms(sweep)}
    proposals = Proposals(sweep, known, environment.chance, length)
    families: dict[tuple[float, ...], list[tuple[RunParameters, Size]]] = {}
    for run in plan_search(sweep):
        place = (run.repeat, run.slot)
        if place not in families and len(families) == FAMILIES:
            continue
        of = length(run.length)
        values = proposals.value(run)
        own = resolve(known[run.strategy], values, total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch)
        families.setdefault(place, []).append((own, of))
    planned = computed = 0
    for family in families.values():
        planned += sum(of.total_steps for _, of in family)
        computed += _computed(family)
    return 1 - computed / planned


def _computed(family: list[tuple[RunParameters, Size]]) -> int:
    """Updates computed for runs with one seed, if identical updates are computed once."""
    known: dict[tuple[float, ...], list[NDArray[np.float64]]] = {}
    total = 0
    for own, of in family:
        rates = _known_rates(own, of)
        others = known.setdefault(tuple(getattr(own, shared.name) for shared in SHARED), [])
        total += of.total_steps - max((_alike(rates, other) for other in others), default=0)
        others.append(rates)
    return total


def _known_rates(own: RunParameters, of: Size) -> NDArray[np.float64]:
    """The scales that are known before training, (updates,), from update 0 on."""
    schedule = own.schedule
    if isinstance(schedule, Fixed):
        return fixed_scales(schedule, of.total_steps, of.steps_per_epoch).numpy()
    waits = isinstance(schedule, Reactive) and schedule.when == "epoch" and schedule.warmup == 0
    return np.ones(of.steps_per_epoch if waits else 0)


def _alike(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    """The number of updates, from the first, that two runs have in common."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if len(differs) else n
