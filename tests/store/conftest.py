"""A storage with one small sweep, on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from decaybench.store import EpochRow, NewRun, Storage, create_sweep, open_storage


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/decaybench.db" if sqlite else request.getfixturevalue("postgres_url")
    opened = open_storage(url, create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def planned() -> list[NewRun]:
    return [
        NewRun(f"{phase}-{strategy}-{slot}", phase, strategy, 0, slot, 1.0, 2**53 - 1 - slot)
        for phase in ("confirm", "search")
        for strategy in ("staircase", "constant")
        for slot in (1, 0)
    ]


@pytest.fixture
def sweep(storage: Storage, planned: list[NewRun]) -> Storage:
    create_sweep(storage, name="quick", question="Why?", spec=SPEC, spec_hash="abc", provenance={}, runs=planned)
    return storage


SPEC: dict[str, Any] = {
    "strategies": {"staircase": {}, "constant": {}},
    "budget": {"trials": 2, "lengths": [0.1]},
}


@pytest.fixture
def epoch() -> Callable[..., EpochRow]:
    def make(run_id: str, number: int = 1, **changes: Any) -> EpochRow:
        values = {
            "train_loss": 0.1,
            "validation_loss": 1 / 3,
            "validation_accuracy": 0.5,
            "learning_rate": 0.1,
            "seconds": 1.5,
        }
        return EpochRow(run_id, number, **(values | changes))

    return make
