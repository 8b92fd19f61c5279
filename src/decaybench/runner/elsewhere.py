"""Workers that were started apart from the driver: the first one measures a sweep, and the others must be like it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from decaybench import store
from decaybench.errors import UserError
from decaybench.runner.crew import choose_crew
from decaybench.runner.environment import Environment, choose_device, prepare_environment, provenance
from decaybench.runner.executors.base import Elsewhere
from decaybench.runner.leaving import Leaving
from decaybench.runner.ownership import Owner
from decaybench.runner.planner import write_sweep
from decaybench.runner.worker import Worker, as_begun
from decaybench.store import Storage
from decaybench.sweep import Sweep

KEPT = 3  # sweeps whose data a worker keeps in memory


class Workers:
    """The workers of this process, one for each of the last few sweeps that it has trained."""

    def __init__(
        self, storage: Storage, data_root: Path | None, device: str, leaving: Leaving, name: str | None = None
    ) -> None:
        torch.set_num_threads(1)
        self._storage, self._data_root, self._leaving, self._name = storage, data_root, leaving, name
        self.device = choose_device(device)
        self._join = lru_cache(KEPT)(self._made)

    def of(self, row: Mapping[str, Any]) -> Worker:
        """A worker for the sweep of this row; it measures the sweep if no worker has yet.

        Raises UserError, which says what differs, if it is not like the worker that measured the sweep.
        """
        # A sweep may be extended, and one that was deleted may come again.
        return self._join(row["name"], str(row["created_at"]), json.dumps(row["spec"]))

    def _made(self, name: str, created_at: str, spec: str) -> Worker:
        mine = {"device": self.device.type, "decaybench": version("decaybench"), "torch": torch.__version__}
        if begun := self._provenance(name):
            _require_alike(begun, mine)  # before the data are loaded
        sweep = Sweep.from_mapping(json.loads(spec), name)
        environment = prepare_environment(sweep, self._data_root, self.device)
        if not begun:
            begun = self._measured(sweep, environment)
        _require_alike(begun, mine | {"images": environment.data_sha256, "splits": environment.splits.sha256})
        return Worker(
            sweep, self._storage, as_begun(environment, begun), begun["stack_size"], self._leaving, self._name
        )

    def _measured(self, sweep: Sweep, environment: Environment) -> dict[str, Any]:
        crew = choose_crew(sweep, environment, None, 1)
        # Several may measure at once; what the first one writes holds for all.
        store.set_provenance(self._storage, sweep.name, provenance(sweep, environment, crew.width, crew.workers))
        return self._provenance(sweep.name)

    def _provenance(self, name: str) -> dict[str, Any]:
        row = store.sweep_row(self._storage, name)
        if row is None:
            raise UserError(f"no sweep {name!r} in {self._storage.where}")
        found: dict[str, Any] = row["provenance"]
        return found


def measured(sweep: Sweep, storage: Storage, remote: Elsewhere, leaving: Leaving, owner: Owner) -> dict[str, Any]:
    """The provenance of a sweep that the first worker elsewhere measures, once it has. The sweep is written before.

    Raises Interrupted if this process is asked to leave, and MachineError if the sweep cannot be measured.
    """
    if store.sweep_row(storage, sweep.name) is None:
        write_sweep(sweep, storage, {})
    remote.measure()
    while True:
        row = store.sweep_row(storage, sweep.name)
        assert row is not None
        if row["provenance"]:
            found: dict[str, Any] = row["provenance"]
            return found
        leaving.check()
        owner.check()
        for _ in remote.finished():
            pass


def as_elsewhere(environment: Environment, begun: Mapping[str, Any]) -> Environment:
    """The driver's environment, with the device and the version of torch of the workers that train."""
    return replace(environment, device=torch.device(begun["device"]), torch_version=begun["versions"]["torch"])


def _require_alike(begun: dict[str, Any], mine: Mapping[str, str]) -> None:
    """UserError with the first of these facts about a worker that is not as in the provenance ``begun``."""
    theirs = begun | begun["versions"] | {"images": begun["data_sha256"], "splits": begun["splits_sha256"]}
    for what, value in mine.items():
        if theirs[what] != value:
            raise UserError(f"{what}: {theirs[what]} in the sweep, {value} here")
