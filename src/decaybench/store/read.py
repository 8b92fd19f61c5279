"""Read our tables, as plain rows and as data frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, null, or_, select

from decaybench.errors import UserError
from decaybench.store.claims import Claim
from decaybench.store.columns import OUTCOMES, PHASES, EpochRow, LookRow, RunRow
from decaybench.store.described import described
from decaybench.store.patience import patient
from decaybench.store.schema import EPOCHS, LOOKS, RUNS, SWEEPS, TRACES
from decaybench.store.storage import Storage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_AT_ONCE: Final = 500
_EPOCH_TYPES: Final = [(each.name, each.frame_type) for each in described(EpochRow) if each.name != "run_id"]


@dataclass(frozen=True)
class Progress:
    """Counts of one strategy's runs in one phase; ``planned`` is the sum of the other four."""

    phase: str
    strategy: str
    planned: int
    finished: int
    diverged: int
    failed: int
    pending: int


class Stored(NamedTuple):
    """Everything stored about a sweep, as plain rows and arrays.

    ``sweep`` is the sweeps row with ``spec`` and ``provenance`` as dicts; ``runs`` are sorted as in `Frames`.
    ``epochs`` maps a run's id to its epochs by number, records (E,) with the table's columns; ``traces`` to its
    learning rates, float32 (updates made,). ``looks`` are sorted by step, then as the lengths are stored.
    """

    sweep: dict[str, Any]
    runs: list[RunRow]
    epochs: "dict[str, NDArray[np.void]]"
    traces: "dict[str, NDArray[np.float32]]"
    looks: list[LookRow]


class Frames(NamedTuple):
    """A sweep's tables: runs by phase, strategy (alphabetically), length, repeat, slot and seed.

    Epochs are sorted by run and epoch. ``sweep`` is the sweeps row with ``spec`` and ``provenance`` as dicts,
    ``params`` in ``runs`` are dicts or None, and ``traces`` maps a run's id to its learning rates, float32
    (updates made,).
    """

    sweep: dict[str, Any]
    runs: "pd.DataFrame"
    epochs: "pd.DataFrame"
    traces: "dict[str, NDArray[np.float32]]"


@patient
def sweep_row(storage: Storage, name: str) -> dict[str, Any] | None:
    """Return the sweeps row called ``name`` with ``spec`` and ``provenance`` as dicts, or None."""
    with storage.read() as connection:
        return _sweep(storage, connection, name)


@patient
def sweep_names(storage: Storage) -> list[str]:
    """Return the names of all sweeps, oldest first."""
    with storage.read() as connection:
        return _names(connection)


def require_sweep(connection: Connection, name: str, where: str) -> str:
    """Return the id of the sweep called ``name``; a UserError that lists the known names if there is none."""
    found: str | None = connection.execute(select(SWEEPS.c.id).where(SWEEPS.c.name == name)).scalar_one_or_none()
    if found is None:
        known = ", ".join(_names(connection)) or "none"
        raise UserError(f"no sweep {name!r} in {where} (known: {known})")
    return found


def runs(storage: Storage, name: str, *, phase: str | None = None) -> list[RunRow]:
    """Return the sweep's runs, of one phase if given, sorted as in `Frames`; UserError for an unknown sweep."""
    return _runs(storage, name, phase, [])


def pending_runs(storage: Storage, name: str, *, phase: str | None = None) -> list[RunRow]:
    """Return the runs still to be trained: those without an outcome or failed, and not superseded."""
    todo = [or_(RUNS.c.outcome.is_(None), RUNS.c.outcome == "failed"), RUNS.c.superseded.is_(False)]
    return _runs(storage, name, phase, todo)


@patient
def some_runs(storage: Storage, run_ids: Sequence[str]) -> list[RunRow]:
    """Return the runs with these ids, in their order; ValueError for an unknown id."""
    rows: dict[str, RunRow] = {}
    with storage.read() as connection:
        for ids in portions(run_ids):
            query = _select(storage, RUNS).where(RUNS.c.id.in_(ids))
            rows.update((row["id"], RunRow(**row)) for row in connection.execute(query).mappings())
    for run_id in run_ids:
        if run_id not in rows:
            raise ValueError(f"no run {run_id}")
    return [rows[run_id] for run_id in run_ids]


@patient
def stack_runs(storage: Storage, claim: Claim) -> list[RunRow]:
    """Return the runs of a stack that are still to be trained, sorted as in `Frames`."""
    todo = RUNS.c.sweep_id == claim.sweep_id, RUNS.c.stack == claim.stack, RUNS.c.outcome.is_(None)
    query = _select(storage, RUNS).where(*todo, RUNS.c.superseded.is_(False))
    with storage.read() as connection:
        return sorted((RunRow(**row) for row in connection.execute(query).mappings()), key=_place)


@patient
def epochs_done(storage: Storage, sweep_id: str, stacks: Sequence[int]) -> dict[int, int]:
    """Return the number of epochs written so far for each stack, summed over its runs that have no result yet."""
    here = RUNS.c.sweep_id == sweep_id, RUNS.c.stack.in_(stacks), RUNS.c.outcome.is_(None), ~RUNS.c.superseded
    query = select(RUNS.c.stack, func.sum(RUNS.c.epochs_done)).where(*here).group_by(RUNS.c.stack)
    with storage.read() as connection:
        return {stack: int(done) for stack, done in connection.execute(query)}


@patient
def traces(storage: Storage, run_ids: Sequence[str]) -> "dict[str, NDArray[np.float32]]":
    """Return the learning rates, float32 (updates made,), of the runs for which they are stored."""
    import numpy as np

    found = {}
    with storage.read() as connection:
        for ids in portions(run_ids):
            query = select(TRACES.c.run_id, TRACES.c.learning_rate).where(TRACES.c.run_id.in_(ids))
            found.update({run_id: np.frombuffer(rates, "<f4") for run_id, rates in connection.execute(query)})
    return found


@patient
def looks(storage: Storage, name: str) -> list[LookRow]:
    """Return the sweep's looks, by step and length; UserError for an unknown sweep."""
    with storage.read() as connection:
        return _looks(storage, connection, require_sweep(connection, name, storage.where))


def portions(run_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids in parts that fit one statement, because databases limit the number of values in it."""
    for start in range(0, len(run_ids), _AT_ONCE):
        yield run_ids[start : start + _AT_ONCE]


@patient
def progress(storage: Storage, name: str) -> list[Progress]:
    """Count the runs per phase and strategy, without superseded ones; UserError for an unknown sweep."""
    query = (
        select(
            RUNS.c.phase,
            RUNS.c.strategy,
            func.count().label("planned"),
            *(func.count(case((RUNS.c.outcome == outcome, 1))).label(outcome) for outcome in OUTCOMES),
            func.count(case((RUNS.c.outcome.is_(None), 1))).label("pending"),
        )
        .where(RUNS.c.superseded.is_(False))
        .group_by(RUNS.c.phase, RUNS.c.strategy)
    )
    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        counts = connection.execute(query.where(RUNS.c.sweep_id == owner)).mappings().all()
    return sorted((Progress(**row) for row in counts), key=lambda one: (PHASES.index(one.phase), one.strategy))


@patient
def load(storage: Storage, name: str) -> Stored:
    """Return everything stored about a sweep, read in one transaction; UserError for an unknown sweep."""
    import numpy as np

    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        sweep = _sweep(storage, connection, name)
        assert sweep is not None  # require_sweep found it in this transaction
        rows = connection.execute(_select(storage, RUNS).where(RUNS.c.sweep_id == owner))
        found = sorted((RunRow(*row) for row in rows), key=_place)
        ours = select(RUNS.c.id).where(RUNS.c.sweep_id == owner)
        epochs = _epochs(storage, connection, ours)
        traces = connection.execute(
            select(TRACES.c.run_id, TRACES.c.learning_rate).where(TRACES.c.run_id.in_(ours)).order_by(TRACES.c.run_id)
        ).all()
        looked = _looks(storage, connection, owner)
    rates = {run_id: np.frombuffer(stored, "<f4").astype(np.float32) for run_id, stored in traces}
    return Stored(sweep, found, epochs, rates, looked)


def load_frames(storage: Storage, name: str) -> Frames:
    """Return the same as `load`, with the runs and epochs as data frames."""
    return frames(load(storage, name))


def frames(stored: Stored) -> Frames:
    """Convert the runs and epochs to data frames."""
    return Frames(stored.sweep, _run_frame(stored.runs), _epoch_frame(stored.epochs), stored.traces)


def _run_frame(rows: Sequence[RunRow]) -> "pd.DataFrame":
    """Return the rows' data columns in the table's order, with their types even if there are no rows."""
    import pandas as pd

    columns = {}
    for column in described(RunRow):
        values, kind = [getattr(row, column.name) for row in rows], column.frame_type
        if not column.kept.data:
            continue
        if kind.startswith("datetime64"):
            columns[column.name] = pd.Series(pd.to_datetime(values, utc=True).as_unit("us"))
        else:
            columns[column.name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(columns)


def _epoch_frame(epochs: "Mapping[str, NDArray[np.void]]") -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    counts = [len(each) for each in epochs.values()]
    columns = {"run_id": pd.Series(np.repeat(np.array(list(epochs), dtype=object), counts), dtype="str")}
    values = np.concatenate([np.empty(0, _EPOCH_TYPES), *epochs.values()])
    return pd.DataFrame(columns | {name: np.ascontiguousarray(values[name]) for name, _ in _EPOCH_TYPES})


def _epochs(storage: Storage, connection: Connection, ours: Select[Any]) -> "dict[str, NDArray[np.void]]":
    """Return the epochs of the runs ``ours``, by run.

    There may be millions: they go straight into arrays, and a run's id is read once rather than once per epoch.
    """
    import numpy as np

    here = EPOCHS.c.run_id.in_(ours)
    counted = select(EPOCHS.c.run_id, func.count()).where(here).group_by(EPOCHS.c.run_id).order_by(EPOCHS.c.run_id)
    counts = connection.execute(counted).all()
    columns = _columns(storage, EPOCHS)[1:]  # without the run's id
    rows = connection.execute(select(*columns).where(here).order_by(EPOCHS.c.run_id, EPOCHS.c.epoch))
    values = np.fromiter((tuple(row) for row in rows), dtype=_EPOCH_TYPES)
    ends = np.cumsum([n for _, n in counts])
    return {run: values[end - n : end] for (run, n), end in zip(counts, ends, strict=True)}


def _sweep(storage: Storage, connection: Connection, name: str) -> dict[str, Any] | None:
    row = connection.execute(_select(storage, SWEEPS).where(SWEEPS.c.name == name)).mappings().one_or_none()
    return None if row is None else dict(row)


def _looks(storage: Storage, connection: Connection, owner: str) -> list[LookRow]:
    if str(LOOKS.c.outcome) in storage.lacks:
        return []
    rows = connection.execute(select(LOOKS).where(LOOKS.c.sweep_id == owner)).mappings()
    return sorted((LookRow(**row) for row in rows), key=lambda look: (look.step, look.length))


def _names(connection: Connection) -> list[str]:
    return list(connection.execute(select(SWEEPS.c.name).order_by(SWEEPS.c.created_at, SWEEPS.c.name)).scalars())


def _select(storage: Storage, table: Table) -> Select[Any]:
    return select(*_columns(storage, table))


def _columns(storage: Storage, table: Table) -> list[ColumnElement[Any]]:
    """Return all columns of a table, in order, with NULL for those that the database lacks."""
    return [null().label(c.name) if str(c) in storage.lacks else c for c in table.columns]


def _place(run: Any) -> tuple[Any, ...]:
    """Return the sort key of a row of ``runs``; rows are sorted here, because databases sort text differently."""
    return PHASES.index(run.phase), run.strategy, run.length, run.repeat, run.slot, run.seed


@patient
def _runs(storage: Storage, name: str, phase: str | None, conditions: list[ColumnElement[bool]]) -> list[RunRow]:
    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        query = _select(storage, RUNS).where(RUNS.c.sweep_id == owner, *conditions)
        if phase is not None:
            query = query.where(RUNS.c.phase == phase)
        found = [RunRow(*row) for row in connection.execute(query)]
    return sorted(found, key=_place)
