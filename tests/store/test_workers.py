"""Workers: public stacks are taken once, the oldest first; who is there is seen; a sweep is measured once."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from decaybench.store import (
    LEASE_S,
    Claim,
    Mirror,
    Storage,
    WorkerRow,
    create_sweep,
    enter,
    leave,
    offer,
    present,
    set_provenance,
    set_stacks,
    standings,
    stay,
    sweep_id,
    take_next,
    training,
    update_sweep,
    waiting,
    wanting,
    withdraw,
)
from decaybench.store.schema import WORKERS

SWEEP = sweep_id("quick")
STACKS = {"search-constant-0": 2, "search-constant-1": 1, "search-staircase-0": 0, "search-staircase-1": 3}
ME = WorkerRow("a", "me", "host", 7, "cpu", {"torch": "2"}, datetime.now(UTC), 0.0, {})


@pytest.fixture
def offered(sweep: Storage) -> Storage:
    """Stacks 2, 1 and 0, offered to all in this order, and stack 3, which is not."""
    set_stacks(sweep, STACKS)
    for run_id, stack in STACKS.items():
        offer(sweep, SWEEP, stack, [Mirror(run_id, None, {})], device="cpu", precision="fp32", public=stack != 3)
    return sweep


def test_the_oldest_offer_is_taken_first_and_once(offered: Storage) -> None:
    assert waiting(offered, SWEEP) == 3
    assert take_next(offered, SWEEP, "me") == Claim(SWEEP, 2, 1)
    assert take_next(offered, SWEEP, "other") == Claim(SWEEP, 1, 1)
    assert training(offered, SWEEP) == {"me": [2], "other": [1]} and waiting(offered, SWEEP) == 1
    withdraw(offered, SWEEP)
    assert take_next(offered, SWEEP, "me") is None and waiting(offered, SWEEP) == 0
    standing = standings(offered, SWEEP, STACKS.values())
    assert {stack: each.state for stack, each in standing.items()} == {0: "ended", 1: "held", 2: "held", 3: "offered"}


def test_what_another_is_about_to_take_is_skipped(offered: Storage) -> None:
    if offered.file is not None:
        pytest.skip("SQLite lets the second one wait")
    with offered.write() as connection:
        connection.exec_driver_sql("SELECT * FROM stacks WHERE stack = 2 FOR UPDATE")
        assert take_next(offered, SWEEP, "me") == Claim(SWEEP, 1, 1)


def test_a_sweep_is_measured_once(offered: Storage) -> None:
    create_sweep(offered, name="new", question="", spec={}, spec_hash="", provenance={}, runs=[])
    update_sweep(offered, "quick", provenance={"device": "cpu"})
    assert wanting(offered) == ["new", "quick"]
    assert set_provenance(offered, "new", {"device": "cuda"})
    assert not set_provenance(offered, "new", {"device": "cpu"})
    assert wanting(offered) == ["quick"]
    withdraw(offered, SWEEP)
    assert wanting(offered) == []


def test_a_worker_is_there_until_it_leaves_or_is_no_longer_seen(storage: Storage) -> None:
    enter(storage, ME)
    (seen,) = present(storage)
    assert (seen.name, seen.device, seen.versions, seen.refused) == ("me", "cpu", {"torch": "2"}, {})
    with storage.write() as connection:
        connection.execute(update(WORKERS).values(seen_until=WORKERS.c.seen_until - LEASE_S - 1))
    assert present(storage) == []
    stay(storage, "a", {"quick": "its images differ"})
    assert [worker.refused for worker in present(storage)] == [{"quick": "its images differ"}]
    leave(storage, "a")
    assert present(storage) == []


def test_a_worker_that_died_long_ago_is_forgotten(storage: Storage) -> None:
    enter(storage, ME)
    with storage.write() as connection:
        connection.execute(update(WORKERS).values(seen_until=1.0))
    enter(storage, WorkerRow(**vars(ME) | {"id": "b"}))
    with storage.read() as connection:
        assert connection.execute(WORKERS.select()).one().id == "b"
