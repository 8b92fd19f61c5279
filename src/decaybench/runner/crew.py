"""How many processes train a sweep, and how many models each puts through the net at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decaybench.runner.environment import Environment
from decaybench.runner.measure import measure
from decaybench.runner.pool import cores
from decaybench.sweep import Sweep, ledger, size

SMALL = 20_000  # updates of all runs: below this, a measurement takes longer than it saves
WIDTH = 8  # of a small sweep
LONG_S = 20.0  # another process takes seconds to start


@dataclass(frozen=True)
class Crew:
    """``workers`` processes, each with ``width`` models at once."""

    workers: int
    width: int


def choose_crew(sweep: Sweep, environment: Environment, begun: Mapping[str, Any] | None, workers: int | None) -> Crew:
    """The crew for a sweep; one that was ``begun`` (its provenance) keeps its width.

    ``workers`` None: one process per core, if the sweep is long enough. One process fills a GPU.
    """
    updates = planned_updates(sweep, environment)
    if updates < SMALL:
        return Crew(workers or 1, begun["stack_size"] if begun else WIDTH)
    speed = measure(sweep.task, environment)
    if workers is None:
        worth_it = environment.device.type == "cpu" and speed.seconds * updates > LONG_S
        workers = cores() if worth_it else 1
    return Crew(workers, begun["stack_size"] if begun else speed.width)


def planned_updates(sweep: Sweep, environment: Environment) -> int:
    """Updates of all runs of the sweep."""
    steps = size(sweep, len(environment.data.train), 1.0).steps_per_epoch
    return sum(row.updates for row in ledger(sweep, steps))
