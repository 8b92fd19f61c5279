"""How many processes train a sweep, and how many models each of them trains at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decaybench.runner.cores import cores
from decaybench.runner.environment import Environment
from decaybench.runner.measure import glance, measure
from decaybench.sweep import Sweep, ledger, most_retrained, size

SMALL = 20_000  # updates of all runs; in a smaller sweep, a measurement takes longer than it saves
SLOW_S = 120.0  # seconds; a sweep that takes longer is not small, however few its updates
WIDTH = 8  # the models at once of a small sweep
LONG_S = 20.0  # a shorter sweep is not worth more processes, which take seconds to start


@dataclass(frozen=True)
class Crew:
    """``workers`` processes, each of which trains ``width`` models at once."""

    workers: int
    width: int


def choose_crew(sweep: Sweep, environment: Environment, begun: Mapping[str, Any] | None, workers: int | None) -> Crew:
    """The crew for a sweep. A sweep that has begun keeps the width in its provenance, ``begun``.

    If ``workers`` is None, there is one process per core, unless the sweep is too short for that to save time. On a
    GPU there is one process, since that is enough to fill it.
    """
    runs, updates = _planned(sweep, environment)
    if begun is None and environment.device.type == "cpu" and runs == 1:
        return Crew(1, 1)  # in a wider network, a lone run is computed twice
    if begun is not None and updates < SMALL:
        return Crew(workers or min(begun["workers"], cores()), begun["stack_size"])
    if updates < SMALL and glance(sweep.task, environment) * updates < SLOW_S:
        return Crew(workers or 1, WIDTH)
    speed = measure(sweep.task, environment)
    if workers is None:
        worth_it = environment.device.type == "cpu" and speed.seconds * updates > LONG_S
        workers = cores() if worth_it else 1
    return Crew(workers, begun["stack_size"] if begun else speed.width)


def _planned(sweep: Sweep, environment: Environment) -> tuple[int, int]:
    """The runs and updates of the sweep up to its first look, with retraining: the least that it trains."""
    rows = ledger(sweep, size(sweep, len(environment.data.train), 1.0).steps_per_epoch)
    again, longest = most_retrained(sweep), max(row.updates for row in rows)
    return sum(row.least for row in rows) + again, sum(row.least * row.updates for row in rows) + again * longest
