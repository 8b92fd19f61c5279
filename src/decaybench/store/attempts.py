"""Attempts at training a stack, and the leases of the workers that make them.

The driver offers a stack, which begins an attempt. A worker takes it and renews its lease while it trains. If the
worker fails, dies, or no longer renews the lease, the driver offers the stack again. The earlier attempt is stale from
then on: whatever its worker still tries to write is refused (`claims`). Each function is one transaction. Leases are
measured by the database's clock, so the clocks of several machines need not agree.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    and_,
    delete,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
    update,
)

from decaybench.store.claims import Claim, note_end, of_attempt, of_stack, require_held
from decaybench.store.columns import Mirror
from decaybench.store.patience import patient
from decaybench.store.read import portions
from decaybench.store.schema import ATTEMPTS, EPOCHS, RUNS, STACKS, TRACES
from decaybench.store.storage import Storage
from decaybench.store.write import UNTRAINED, require_runs, set_columns

LEASE_S: Final = 60.0
"""Seconds for which a worker holds a stack without renewing its lease."""
RENEW_S: Final = 15.0
"""Seconds between two renewals."""

PUBLIC: Final = and_(STACKS.c.state == "offered", STACKS.c.public)
"""The condition that any worker may take a stack."""


class Standing(NamedTuple):
    """How a stack stands; ``expired`` says whether its worker has stopped renewing its lease."""

    attempt: int
    state: str
    expired: bool
    reason: str | None


@patient
def offer(
    storage: Storage,
    sweep_id: str,
    stack: int,
    runs: Sequence[Mirror],
    *,
    device: str,
    precision: str,
    width: int | None = None,
    kept: int = 0,
    public: bool = False,
) -> Claim:
    """Begin an attempt at the stack of these ``runs``, and write their parameters and Optuna trials.

    Whatever earlier attempts wrote is deleted in the same transaction, except the first ``kept`` epochs. Any worker may
    take a ``public`` stack (`take_next`).
    """
    ids, now = [run.run_id for run in runs], datetime.now(UTC)
    given = [{"of": run.run_id, "trial_number": run.trial_number, "params": dict(run.params)} for run in runs]
    with storage.write() as connection:
        claim = Claim(sweep_id, stack, 1 + _last_attempt(connection, sweep_id, stack))
        require_runs(connection, ids)  # after the stack, as all others lock them
        values: dict[str, Any] = {"state": "offered", "attempt": claim.attempt, "width": width, "public": public}
        if claim.attempt == 1:
            connection.execute(insert(STACKS).values(sweep_id=sweep_id, stack=stack, **values))
        else:
            values |= {"worker": None, "lease_until": None, "reason": None}
            connection.execute(update(STACKS).where(of_stack(sweep_id, stack)).values(values))
        connection.execute(insert(ATTEMPTS).values(**claim._asdict(), started_at=now))
        begun = {
            "attempt": RUNS.c.attempt + 1,
            "started_at": now,
            "device": device,
            "precision": precision,
            "reason": None,
        }
        for some in portions(ids):
            connection.execute(delete(EPOCHS).where(EPOCHS.c.run_id.in_(some), EPOCHS.c.epoch > kept))
            connection.execute(delete(TRACES).where(TRACES.c.run_id.in_(some)))
            left = select(func.count()).where(EPOCHS.c.run_id == RUNS.c.id).scalar_subquery()
            fresh: dict[str, Any] = UNTRAINED | begun | {"epochs_done": left if kept else 0}
            connection.execute(update(RUNS).where(RUNS.c.id.in_(some)).values(fresh))
        set_columns(connection, given)
    return claim


@patient
def take(storage: Storage, claim: Claim, worker: str) -> bool:
    """Hold the stack as ``worker``; False if it is not offered, or another attempt is."""
    with storage.write() as connection:
        return _take(storage, connection, claim, worker)


def take_next(storage: Storage, sweep_id: str, worker: str) -> Claim | None:
    """Hold the public stack of the sweep that was offered first, as ``worker``; None if there is none.

    On a server, stacks that others are about to take are skipped, so workers do not wait for each other.
    """
    query = (
        select(STACKS.c.sweep_id, STACKS.c.stack, STACKS.c.attempt)
        .join(ATTEMPTS, and_(*(STACKS.c[name] == ATTEMPTS.c[name] for name in Claim._fields)))
        .where(STACKS.c.sweep_id == sweep_id, PUBLIC)
        .order_by(ATTEMPTS.c.started_at, STACKS.c.stack)
        .limit(1)
        .with_for_update(of=STACKS, skip_locked=True)  # SQLite has neither, and lets one transaction write at a time
    )
    with storage.write() as connection:
        if (found := connection.execute(query).one_or_none()) is None:
            return None
        claim = Claim(*found)
        return claim if _take(storage, connection, claim, worker) else None


def withdraw(storage: Storage, sweep_id: str) -> None:
    """End the offers of the sweep's public stacks that no worker has taken."""
    with storage.write() as connection:
        connection.execute(update(STACKS).where(STACKS.c.sweep_id == sweep_id, PUBLIC).values(state="ended"))


@patient
def width_of(storage: Storage, claim: Claim) -> int | None:
    """The number of models that go through the network at once in this attempt, None for the sweep's."""
    with storage.read() as connection:
        return connection.execute(select(STACKS.c.width).where(claim.current)).scalar_one_or_none()


def renew(storage: Storage, claim: Claim) -> None:
    """Renew the lease, without waiting for the database; StaleError if this attempt no longer holds the stack."""
    with storage.write() as connection:
        require_held(connection, claim)
        connection.execute(update(STACKS).where(claim.current).values(lease_until=clock(storage) + LEASE_S))


@patient
def begin_anew(storage: Storage, claim: Claim, run_ids: Sequence[str]) -> None:
    """Delete all epochs of the stack's runs, because training begins anew; StaleError as in `renew`."""
    with storage.write() as connection:
        require_held(connection, claim)
        for some in portions(run_ids):
            connection.execute(delete(EPOCHS).where(EPOCHS.c.run_id.in_(some)))
            connection.execute(update(RUNS).where(RUNS.c.id.in_(some)).values(epochs_done=0))


@patient
def end_attempt(storage: Storage, claim: Claim, ended: str, reason: str | None = None) -> bool:
    """Record how an attempt ended without results; False if it had ended already, or is not the current one."""
    with storage.write() as connection:
        going = update(STACKS).where(claim.current, STACKS.c.state.in_(("offered", "held")))
        if connection.execute(going.values(state="ended", reason=reason)).rowcount != 1:
            return False
        note_end(connection, claim, ended, reason)
    return True


@patient
def give_up(storage: Storage, claim: Claim, reason: str) -> None:
    """Give up a stack: its runs without a result have failed. A later offer of the same stack tries them again."""
    here = RUNS.c.sweep_id == claim.sweep_id, RUNS.c.stack == claim.stack
    with storage.write() as connection:
        given_up = update(STACKS).where(claim.current).values(state="failed", reason=reason)
        if connection.execute(given_up).rowcount != 1:
            return
        without = update(RUNS).where(*here, RUNS.c.outcome.is_(None), RUNS.c.superseded.is_(False))
        connection.execute(without.values(outcome="failed", reason=reason, finished_at=datetime.now(UTC)))


@patient
def standings(storage: Storage, sweep_id: str, stacks: Collection[int]) -> dict[int, Standing]:
    """How each of these stacks stands, if it was ever offered."""
    expired = func.coalesce(STACKS.c.lease_until < clock(storage), False) & (STACKS.c.state == "held")
    columns = STACKS.c.stack, STACKS.c.attempt, STACKS.c.state, expired.label("expired"), STACKS.c.reason
    query = select(*columns).where(STACKS.c.sweep_id == sweep_id, STACKS.c.stack.in_(list(stacks)))
    with storage.read() as connection:
        rows = connection.execute(query).all()
    return {stack: Standing(attempt, state, bool(late), reason) for stack, attempt, state, late, reason in rows}


def _take(storage: Storage, connection: Connection, claim: Claim, worker: str) -> bool:
    values = {"state": "held", "worker": worker, "lease_until": clock(storage) + LEASE_S}
    offered = update(STACKS).where(claim.current, STACKS.c.state == "offered").values(values)
    if connection.execute(offered).rowcount != 1:
        return False
    connection.execute(update(ATTEMPTS).where(of_attempt(claim)).values(worker=worker))
    return True


def _last_attempt(connection: Connection, sweep_id: str, stack: int) -> int:
    last = select(STACKS.c.attempt).where(of_stack(sweep_id, stack)).with_for_update()
    return connection.execute(last).scalar_one_or_none() or 0


def clock(storage: Storage) -> ColumnElement[float]:
    """Seconds since 1970 by the database's clock."""
    if storage.engine.dialect.name == "sqlite":
        now = "(julianday('now') - 2440587.5) * 86400.0"
    else:
        now = "extract(epoch FROM clock_timestamp())::float8"
    return type_coerce(literal_column(f"({now})"), Float)
