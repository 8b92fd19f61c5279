"""Write to our tables; each function is one transaction, which succeeds or fails as a whole.

The functions raise UserError for what the user can fix (an unknown sweep, a locked file) and ValueError for
programming errors (an unknown run, a second result, a NaN).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from decaybench.errors import UserError
from decaybench.store.claims import Claim, finish_stack, require_held
from decaybench.store.columns import STATUSES, EpochRow, LookRow, Mirror, NewRun, RunResult, RunRow
from decaybench.store.described import described
from decaybench.store.patience import patient
from decaybench.store.read import portions, require_sweep
from decaybench.store.rows import plain_result, plain_row
from decaybench.store.schema import EPOCHS, LOOKS, RUNS, SWEEPS, TRACES, sweep_id
from decaybench.store.storage import Storage

UNTRAINED: Final[dict[str, Any]] = {
    each.name: each.kept.default for each in described(RunRow) if each.kept.by == "result"
}
"""The values of a run's result columns before it has a result."""


@patient
def create_sweep(
    storage: Storage,
    *,
    name: str,
    question: str,
    spec: Mapping[str, Any],
    spec_hash: str,
    provenance: Mapping[str, Any],
    runs: Sequence[NewRun],
    status: str = "pending",
) -> str:
    """Write a sweep with its planned runs and return its id; UserError when the name is taken."""
    _require_status(status)
    owner = sweep_id(name)
    row = {
        "id": owner,
        "name": name,
        "question": question,
        "spec": dict(spec),
        "spec_hash": spec_hash,
        "status": status,
        "created_at": datetime.now(UTC),
        "provenance": dict(provenance),
    }
    with storage.write() as connection:
        if connection.execute(select(SWEEPS.c.id).where(SWEEPS.c.name == name)).first() is not None:
            raise UserError(f"sweep {name!r} is already in {storage.where}")
        try:
            connection.execute(insert(SWEEPS), row)
        except IntegrityError as error:
            # PostgreSQL's unique_violation: on a server, another process may have inserted the row in between.
            if getattr(error.orig, "sqlstate", "") == "23505":
                raise UserError(f"sweep {name!r} is already in {storage.where}") from error
            raise
        _insert_runs(connection, owner, runs)
    return owner


@patient
def add_runs(storage: Storage, name: str, runs: Sequence[NewRun]) -> int:
    """Write the planned runs that the sweep lacks, leave the others unchanged, and return how many were written."""
    with storage.write() as connection:
        owner = require_sweep(connection, name, storage.where)
        known = set(connection.execute(select(RUNS.c.id).where(RUNS.c.sweep_id == owner)).scalars())
        missing = [run for run in runs if run.id not in known]
        _insert_runs(connection, owner, missing)
    return len(missing)


@patient
def update_sweep(
    storage: Storage,
    name: str,
    *,
    question: str | None = None,
    spec: Mapping[str, Any] | None = None,
    spec_hash: str | None = None,
    status: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Change the given columns of a sweep's row; those that are None stay."""
    given: dict[str, Any] = {
        "question": question,
        "spec": None if spec is None else dict(spec),
        "spec_hash": spec_hash,
        "status": status,
        "provenance": None if provenance is None else dict(provenance),
    }
    values = {column: value for column, value in given.items() if value is not None}
    if status is not None:
        _require_status(status)
    with storage.write() as connection:
        owner = require_sweep(connection, name, storage.where)
        if values:
            connection.execute(update(SWEEPS).where(SWEEPS.c.id == owner).values(values))


def set_mirror(storage: Storage, mirrors: Sequence[Mirror]) -> None:
    """Record each run's trial in the Optuna study and its parameters."""
    rows = [
        {"of": mirror.run_id, "trial_number": mirror.trial_number, "params": dict(mirror.params)} for mirror in mirrors
    ]
    _update_runs(storage, [mirror.run_id for mirror in mirrors], rows)


def set_stacks(storage: Storage, stacks: Mapping[str, int]) -> None:
    """Record the stack in which each run is trained."""
    _update_runs(storage, list(stacks), [{"of": run_id, "stack": stack} for run_id, stack in stacks.items()])


def supersede(storage: Storage, run_ids: Sequence[str], superseded: bool = True) -> None:
    """Mark runs that are no longer in the plan, or unmark them if they are in it again."""
    _update_runs(storage, run_ids, [{"of": run_id, "superseded": superseded} for run_id in run_ids])


@patient
def replay_other(storage: Storage, replays: Mapping[str, str | None]) -> None:
    """Change the confirm run whose learning rates each replay run (by id) uses, and delete the replay's results."""
    with storage.write() as connection:
        require_runs(connection, list(replays))
        for ids in portions(list(replays)):
            _forget(connection, ids)
        set_columns(connection, [{"of": run_id, "replay_of": source} for run_id, source in replays.items()])


@patient
def write_epochs(storage: Storage, rows: Sequence[EpochRow], claim: Claim | None = None) -> None:
    """Write the epochs of a stack and raise its runs' ``epochs_done``; ValueError for a NaN or infinity.

    With ``claim``, raises StaleError, and writes nothing, unless that attempt holds the stack.
    """
    values = [plain_row(row) for row in rows]
    written = Counter(row.run_id for row in rows)
    if not values:
        return
    with storage.write() as connection:
        if claim is not None:
            require_held(connection, claim)
        require_runs(connection, list(written))
        connection.execute(insert(EPOCHS), values)
        connection.execute(
            update(RUNS).where(RUNS.c.id == bindparam("of")).values(epochs_done=RUNS.c.epochs_done + bindparam("more")),
            [{"of": run_id, "more": more} for run_id, more in written.items()],
        )


@patient
def finish_runs(storage: Storage, results: Sequence[RunResult], claim: Claim | None = None) -> None:
    """Write the runs' results and traces. With ``claim``, they are those of a stack, which is done.

    Raises ValueError, and writes nothing, for a NaN or infinity, for a run that already has an outcome, for a
    finished run without a validation result, and when ``epochs_done`` is not the number of the run's rows in
    ``epochs``. With ``claim``, raises StaleError unless that attempt holds the stack.
    """
    finished_at = datetime.now(UTC)
    rows, traces = [], []
    for result in results:
        row, trace = plain_result(result)
        rows.append({"of": result.run_id, "finished_at": finished_at, **row})
        if trace is not None:
            traces.append({"run_id": result.run_id, "learning_rate": trace})
    ids = [result.run_id for result in results]
    with storage.write() as connection:
        if claim is not None:
            finish_stack(connection, claim)
        require_runs(connection, ids, pending=True)
        epochs = _epochs_written(connection, ids)
        for result in results:
            if result.epochs_done != (has := epochs.get(result.run_id, 0)):
                raise ValueError(
                    f"run {result.run_id}: epochs_done is {result.epochs_done}, but {has} epochs are written"
                )
        set_columns(connection, rows)
        if traces:
            connection.execute(insert(TRACES), traces)


@patient
def write_look(storage: Storage, rows: Sequence[LookRow]) -> None:
    """Write one look at every length of a sweep; ValueError for a step that is there already."""
    with storage.write() as connection:
        try:
            connection.execute(insert(LOOKS), [plain_row(row) for row in rows])
        except IntegrityError as error:
            raise ValueError(f"look {rows[0].step} of sweep {rows[0].sweep_id} is already there") from error


@patient
def probe(storage: Storage) -> None:
    """Try whether a SQLite database can be written, by a number that SQLite keeps in it: it is set to what it was."""
    if storage.engine.dialect.name == "sqlite":
        with storage.write() as connection:
            kept = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            connection.exec_driver_sql(f"PRAGMA user_version = {kept}")


def _require_status(status: str) -> None:
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {status!r}")


def require_runs(connection: Connection, run_ids: Sequence[str], *, pending: bool = False) -> None:
    """Lock the runs; ValueError unless all exist, are named once and, if ``pending``, have no outcome."""
    found: dict[str, str | None] = {}
    for ids in portions(run_ids):
        rows = connection.execute(
            select(RUNS.c.id, RUNS.c.outcome).where(RUNS.c.id.in_(ids)).order_by(RUNS.c.id).with_for_update()
        )
        found.update((run_id, outcome) for run_id, outcome in rows)
    if len(set(run_ids)) != len(run_ids):
        raise ValueError("a run is named twice")
    for run_id in run_ids:
        if run_id not in found:
            raise ValueError(f"no run {run_id}")
        if pending and found[run_id] is not None:
            raise ValueError(f"run {run_id} already has a result: {found[run_id]}")


def _forget(connection: Connection, run_ids: Sequence[str]) -> None:
    """Reset runs (no more than fit one statement) as if they had never been trained."""
    connection.execute(delete(EPOCHS).where(EPOCHS.c.run_id.in_(run_ids)))
    connection.execute(delete(TRACES).where(TRACES.c.run_id.in_(run_ids)))
    connection.execute(update(RUNS).where(RUNS.c.id.in_(run_ids)).values(UNTRAINED))


def _epochs_written(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for ids in portions(run_ids):
        query = select(EPOCHS.c.run_id, func.count()).where(EPOCHS.c.run_id.in_(ids)).group_by(EPOCHS.c.run_id)
        counts.update((run_id, count) for run_id, count in connection.execute(query))
    return counts


@patient
def _update_runs(storage: Storage, run_ids: Sequence[str], rows: list[dict[str, Any]]) -> None:
    with storage.write() as connection:
        require_runs(connection, run_ids)
        set_columns(connection, rows)


def set_columns(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Set each row's columns on the run that its key ``of`` names; all rows have the same keys."""
    if rows:
        connection.execute(update(RUNS).where(RUNS.c.id == bindparam("of")), rows)


def _insert_runs(connection: Connection, owner: str, runs: Sequence[NewRun]) -> None:
    if runs:
        connection.execute(insert(RUNS), [{"sweep_id": owner, **plain_row(run)} for run in runs])
