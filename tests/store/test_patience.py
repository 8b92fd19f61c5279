"""A step is done again while the database is unavailable, and once only even if it was committed unseen."""

import math
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from decaybench.errors import UserError
from decaybench.store import NewRun, Storage, UnavailableError, create_sweep, open_storage, runs
from decaybench.store.patience import passes


class Patient:
    """Does not really wait, but counts."""

    last = -math.inf

    def __init__(self) -> None:
        self.waits: list[str] = []

    def wait(self, error: UnavailableError) -> None:
        self.waits.append(str(error))

    def over(self) -> None:
        pass


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_that_breaks_while_it_commits(
    postgres_url: str, planned: list[NewRun], monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    patience, commit, breaks = Patient(), psycopg.Connection.commit, [True]

    def broken(connection: Any) -> None:
        if breaks:
            breaks.clear()
            if committed:
                commit(connection)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        commit(connection)

    with open_storage(postgres_url, create=True, patience=patience) as storage:
        monkeypatch.setattr(psycopg.Connection, "commit", broken)
        # It is an error to do this twice.
        create_sweep(storage, name="quick", question="", spec={}, spec_hash="", provenance={}, runs=planned)
        assert not breaks and len(runs(storage, "quick")) == len(planned)
        assert len(patience.waits) == (0 if committed else 1)


def test_without_patience_an_error_is_raised_at_once(storage: Storage) -> None:
    tries = []

    def step() -> None:
        tries.append(1)
        raise UnavailableError("full")

    with pytest.raises(UnavailableError):
        storage.patiently(step)
    assert len(tries) == 1


@pytest.mark.parametrize("error", [UserError("wrong"), ValueError("a run is named twice")])
def test_what_does_not_pass_is_not_waited_for(storage: Storage, error: Exception) -> None:
    patience = Patient()

    def step() -> None:
        raise error

    with pytest.raises(type(error)):
        replace(storage, patience=patience).patiently(step)
    assert not patience.waits


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (psycopg.OperationalError, True),  # a connection's
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.DiskFull, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.TooManyConnections, True),
        (psycopg.errors.InsufficientPrivilege, False),
        (psycopg.errors.DataCorrupted, False),
    ],
)
def test_what_may_pass_on_a_server(kind: type[psycopg.Error], expected: bool) -> None:
    assert passes(kind("x")) is expected


def test_the_number_of_a_transaction_is_found_again(postgres_url: str) -> None:
    with open_storage(postgres_url, create=True) as storage:
        with storage.write() as connection:
            connection.execute(text("UPDATE decaybench_version SET version = version"))
            number = connection.execute(text("SELECT txid_current()")).scalar_one()
        assert storage._committed(number) and not storage._committed(number + 10**6)
