"""Workers that look for public stacks: what there is to do for them, and who of them is there.

A worker says that it is there by renewing ``seen_until``, as it renews the lease of a stack that it trains.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import and_, delete, func, insert, or_, select, update

from decaybench.store.attempts import LEASE_S, PUBLIC, clock
from decaybench.store.claims import Claim
from decaybench.store.columns import WorkerRow
from decaybench.store.schema import ATTEMPTS, STACKS, SWEEPS, WORKERS
from decaybench.store.storage import Storage

FORGET_S: Final = 86_400.0
"""Seconds after which a worker that has died is forgotten."""


def wanting(storage: Storage) -> list[str]:
    """The names of the sweeps that want a worker.

    Those that wait to be measured, which have no provenance, come first, then those of the oldest public stacks.
    """
    offered = (
        select(STACKS.c.sweep_id, func.min(ATTEMPTS.c.started_at).label("since"))
        .join(ATTEMPTS, and_(*(STACKS.c[name] == ATTEMPTS.c[name] for name in Claim._fields)))
        .where(PUBLIC)
        .group_by(STACKS.c.sweep_id)
        .subquery()
    )
    unmeasured = SWEEPS.c.provenance == {}
    query = (
        select(SWEEPS.c.name)
        .join(offered, SWEEPS.c.id == offered.c.sweep_id, isouter=True)
        .where(or_(unmeasured, offered.c.since.is_not(None)))
        .order_by(unmeasured.desc(), offered.c.since, SWEEPS.c.created_at)
    )
    with storage.read() as connection:
        return list(connection.execute(query).scalars())


def set_provenance(storage: Storage, name: str, provenance: Mapping[str, Any]) -> bool:
    """Write a sweep's provenance, unless it has one already; whether it was written."""
    unmeasured = update(SWEEPS).where(SWEEPS.c.name == name, SWEEPS.c.provenance == {})
    with storage.write() as connection:
        return connection.execute(unmeasured.values(provenance=dict(provenance))).rowcount == 1


def enter(storage: Storage, worker: WorkerRow) -> None:
    """Note that a worker is there, and forget those that have long been gone."""
    row = vars(worker) | {"started_at": datetime.now(UTC), "seen_until": clock(storage) + LEASE_S}
    with storage.write() as connection:
        connection.execute(delete(WORKERS).where(WORKERS.c.seen_until < clock(storage) - FORGET_S))
        connection.execute(insert(WORKERS).values(row))


def stay(storage: Storage, worker_id: str, refused: Mapping[str, str]) -> None:
    """Note that a worker is still there, and which sweeps it does not train, with the reasons."""
    values = {"seen_until": clock(storage) + LEASE_S, "refused": dict(refused)}
    with storage.write() as connection:
        connection.execute(update(WORKERS).where(WORKERS.c.id == worker_id).values(values))


def leave(storage: Storage, worker_id: str) -> None:
    """Note that a worker is no longer there."""
    with storage.write() as connection:
        connection.execute(delete(WORKERS).where(WORKERS.c.id == worker_id))


def present(storage: Storage) -> list[WorkerRow]:
    """The workers that are there, in the order in which they came; none in a database of an older layout."""
    if str(WORKERS.c.id) in storage.lacks:
        return []
    query = select(WORKERS).where(WORKERS.c.seen_until >= clock(storage)).order_by(WORKERS.c.started_at, WORKERS.c.id)
    with storage.read() as connection:
        return [WorkerRow(**row) for row in connection.execute(query).mappings()]


def waiting(storage: Storage, sweep_id: str) -> int:
    """The number of the sweep's public stacks that no worker has taken."""
    query = select(func.count()).where(STACKS.c.sweep_id == sweep_id, PUBLIC)
    with storage.read() as connection:
        return connection.execute(query).scalar_one()


def training(storage: Storage, sweep_id: str) -> dict[str, list[int]]:
    """The stacks of the sweep that are being trained, by the name of their worker."""
    if str(STACKS.c.stack) in storage.lacks:
        return {}
    held = STACKS.c.sweep_id == sweep_id, STACKS.c.state == "held"
    query = select(STACKS.c.worker, STACKS.c.stack).where(*held).order_by(STACKS.c.stack)
    found: dict[str, list[int]] = {}
    with storage.read() as connection:
        for worker, stack in connection.execute(query):
            found.setdefault(worker, []).append(stack)
    return found
