"""The cost of a sweep on this machine: its time, and the updates saved for runs that begin alike."""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from decaybench.optimizers import OPTIMIZERS
from decaybench.runner.crew import Crew
from decaybench.runner.environment import Environment
from decaybench.runner.measure import measure
from decaybench.runner.proposals import Proposals
from decaybench.schedules import Fixed, Reactive
from decaybench.schedules.bank import fixed_scales
from decaybench.shared import SHARED
from decaybench.sweep import (
    RunParameters,
    Size,
    Sweep,
    arms,
    least_retrained,
    ledger,
    most_retrained,
    plan_search,
    resolve,
    shares_slots,
    size,
)
from decaybench.training import OptimizerForm
from decaybench.training.lanes import ESTIMATED_ON

LIKELY_REPEATS = 14
"""Where six strategies settled when the protocol was chosen: 487 trainings with 6 trials, 662 with 8."""
FAMILIES = 100  # how many families of runs that may begin alike are examined; the rest are assumed to be similar


class Cost(NamedTuple):
    """What a sweep costs if the search ends after so many ``repeats`` of every strategy.

    ``search`` and ``retraining`` are runs; ``updates`` those of all of them, and ``seconds`` the time they take.
    """

    repeats: int
    search: int
    retraining: int
    updates: int
    seconds: float


def costs(sweep: Sweep, environment: Environment, crew: Crew, shared: float) -> dict[str, Cost]:
    """The ``least``, the ``likely`` and the ``most`` that a sweep costs, retraining included.

    The least is a search that ends at the first look; the most one that goes on to the last, with all strategies. The
    likely one ends where simulated sweeps did on average, if one good strategy is all that is asked for. ``shared`` is
    the share of the search's updates that is saved. Starting, loading data and the report are not included.
    """
    repeats = sweep.budget.repeats
    likely = min(max(LIKELY_REPEATS, repeats.start), repeats.to) if sweep.decide.until == "one" else repeats.to
    retraining = least_retrained(sweep), most_retrained(sweep), most_retrained(sweep)
    ends = {"least": repeats.start, "likely": likely, "most": repeats.to}
    second = seconds_per_update(sweep, environment) / crew.workers
    rows = ledger(sweep, size(sweep, len(environment.data.train), 1.0).steps_per_epoch)
    found = {}
    for (name, end), after in zip(ends.items(), retraining, strict=True):
        search = sum(row.least // repeats.start * end for row in rows)
        trained = sum(row.least // repeats.start * end * row.updates for row in rows)
        again = after * max(row.updates for row in rows)
        found[name] = Cost(end, search, after, trained + again, (trained * (1 - shared) + again) * second)
    return found


def seconds_per_update(sweep: Sweep, environment: Environment) -> float:
    """Seconds that an update of one run takes in one process, with its part of validation and of the one test."""
    data, epochs = environment.data, sweep.task.epochs
    # A forward pass costs about a third of a forward and a backward pass.
    evaluated = (len(data.validation) + len(data.test) / epochs + _estimated_on(sweep, environment)) / 3
    return measure(sweep.task, environment).seconds * (1 + evaluated / _seen(sweep, environment))


def _estimated_on(sweep: Sweep, environment: Environment) -> float:
    """The training examples on which batch norm's statistics are estimated per epoch, the mean over strategies."""
    form_of = [OPTIMIZERS[arm.form.kind](arm.form) for arm in arms(sweep)]
    averaging = sum(make.averages or make.form.average is not None for make in form_of) / len(form_of)
    batch = sweep.task.batch_size
    if not environment.tracks or batch == "full":
        return 0.0
    return averaging * batch * min(ESTIMATED_ON, len(environment.data.train) // batch)


def testing_share(sweep: Sweep, environment: Environment) -> float:
    """The share of the time that the one test at the end of each run takes, in [0, 1)."""
    return len(environment.data.test) / (3 * _seen(sweep, environment) * sweep.task.epochs)


def _seen(sweep: Sweep, environment: Environment) -> int:
    """The training examples that an epoch sees."""
    size_, train = sweep.task.batch_size, len(environment.data.train)
    return train if size_ == "full" else size(sweep, train, 1.0).steps_per_epoch * size_


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
    families: dict[tuple[float, ...], list[tuple[RunParameters, Size, OptimizerForm]]] = {}
    for run in plan_search(sweep, dict.fromkeys(sweep.strategies, sweep.budget.repeats.start)):
        place = (run.repeat, run.slot)
        if place not in families and len(families) == FAMILIES:
            continue
        of = length(run.length)
        values = proposals.value(run)
        own = resolve(known[run.strategy], values, total_steps=of.total_steps, steps_per_epoch=of.steps_per_epoch)
        families.setdefault(place, []).append((own, of, known[run.strategy].form))
    planned = computed = 0
    for family in families.values():
        planned += sum(of.total_steps for _, of, _ in family)
        computed += _computed(family)
    return 1 - computed / planned


def _computed(family: list[tuple[RunParameters, Size, OptimizerForm]]) -> int:
    """Updates computed for runs with one seed, if identical updates are computed once."""
    known: dict[Hashable, list[NDArray[np.float64]]] = {}
    total = 0
    for own, of, form in family:
        rates = _known_rates(own, of)
        settings = tuple(getattr(own, shared.name) for shared in SHARED)
        others = known.setdefault((settings, form, of.epochs if form.needs_length else None), [])
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
