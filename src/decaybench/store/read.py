"""What our tables say, as plain rows and as data frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, func, null, or_, select

from decaybench.errors import UserError
from decaybench.store.open import Storage
from decaybench.store.schema import ADDED, OUTCOMES, PHASES, Epoch, Run, Sweep, Trace

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_AT_ONCE: Final = 500

# A number that may be missing is a float with NaN, as everywhere in pandas.
_RUN_TYPES: Final = {
    **dict.fromkeys(("id", "sweep_id", "phase", "strategy", "outcome", "device", "precision"), "str"),
    **dict.fromkeys(("replay_of", "pruned"), "str"),
    **dict.fromkeys(("repeat", "slot", "seed", "epochs_done", "attempt"), "int64"),
    **dict.fromkeys(("trial_number", "diverged_step", "stack", "updates_computed", "length"), "float64"),
    **dict.fromkeys(("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"), "float64"),
    **dict.fromkeys(("started_at", "finished_at"), "datetime64[us, UTC]"),
    "params": "object",
    "superseded": "bool",
}
_EPOCH_TYPES: Final = [
    ("epoch", "int64"),
    *(
        (name, "float64")
        for name in ("train_loss", "validation_loss", "validation_accuracy", "learning_rate", "seconds")
    ),
]


@dataclass(frozen=True)
class RunRow:
    """One row of ``runs``, all of its columns."""

    id: str
    sweep_id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    trial_number: int | None
    params: dict[str, Any] | None
    outcome: str | None
    epochs_done: int
    validation_loss: float | None
    validation_accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    diverged_step: int | None
    attempt: int
    device: str | None
    precision: str | None
    started_at: datetime | None
    finished_at: datetime | None
    stack: int | None
    superseded: bool
    replay_of: str | None = None
    pruned: str | None = None
    updates_computed: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far one strategy is in one phase: ``planned`` = ``finished + diverged + failed + pending`` runs."""

    phase: str
    strategy: str
    planned: int
    finished: int
    diverged: int
    failed: int
    pending: int


class Stored(NamedTuple):
    """All that is stored of a sweep, as plain rows and arrays.

    ``sweep`` is the sweeps row with ``spec`` and ``provenance`` as dicts; ``runs`` are sorted as in `Frames`.
    ``epochs`` maps a run's id to its epochs by number, records (E,) with the table's columns; ``traces`` to its
    learning rates, float32 (updates made,).
    """

    sweep: dict[str, Any]
    runs: list[RunRow]
    epochs: "dict[str, NDArray[np.void]]"
    traces: "dict[str, NDArray[np.float32]]"


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


def sweep_row(storage: Storage, name: str) -> dict[str, Any] | None:
    """The sweeps row called ``name`` with ``spec`` and ``provenance`` as dicts, or None."""
    with storage.read() as connection:
        return _sweep(connection, name)


def sweep_names(storage: Storage) -> list[str]:
    """The names of all sweeps, the oldest first."""
    with storage.read() as connection:
        return _names(connection)


def require_sweep(connection: Connection, name: str, where: str) -> str:
    """The id of the sweep called ``name``; UserError that lists the known names when there is none."""
    found = connection.execute(select(Sweep.id).where(Sweep.name == name)).scalar_one_or_none()
    if found is None:
        known = ", ".join(_names(connection)) or "none"
        raise UserError(f"no sweep {name!r} in {where} (known: {known})")
    return found


def runs(storage: Storage, name: str, *, phase: str | None = None) -> list[RunRow]:
    """The sweep's runs, of one phase when given, sorted as in `Frames`; UserError for an unknown sweep."""
    return _runs(storage, name, phase, [])


def pending_runs(storage: Storage, name: str, *, phase: str | None = None) -> list[RunRow]:
    """The runs that are still to be trained: without an outcome, or failed; superseded ones are not."""
    todo = [or_(Run.outcome.is_(None), Run.outcome == "failed"), Run.superseded.is_(False)]
    return _runs(storage, name, phase, todo)


def some_runs(storage: Storage, run_ids: Sequence[str]) -> list[RunRow]:
    """The runs with these ids, in their order; ValueError for an id that is not there."""
    rows: dict[str, RunRow] = {}
    with storage.read() as connection:
        for ids in portions(run_ids):
            query = _select_runs(storage).where(Run.id.in_(ids))
            rows.update((row["id"], RunRow(**row)) for row in connection.execute(query).mappings())
    for run_id in run_ids:
        if run_id not in rows:
            raise ValueError(f"no run {run_id}")
    return [rows[run_id] for run_id in run_ids]


def traces(storage: Storage, run_ids: Sequence[str]) -> "dict[str, NDArray[np.float32]]":
    """The learning rates, float32 (updates made,), of those of the runs that have any recorded."""
    import numpy as np

    found = {}
    with storage.read() as connection:
        for ids in portions(run_ids):
            query = select(Trace.run_id, Trace.learning_rate).where(Trace.run_id.in_(ids))
            found.update({run_id: np.frombuffer(rates, "<f4") for run_id, rates in connection.execute(query)})
    return found


def portions(run_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in parts that fit one statement; databases bound the number of values in it."""
    for start in range(0, len(run_ids), _AT_ONCE):
        yield run_ids[start : start + _AT_ONCE]


def progress(storage: Storage, name: str) -> list[Progress]:
    """Counts per phase and strategy, without superseded runs; UserError for an unknown sweep."""
    query = (
        select(
            Run.phase,
            Run.strategy,
            func.count().label("planned"),
            *(func.count(case((Run.outcome == outcome, 1))).label(outcome) for outcome in OUTCOMES),
            func.count(case((Run.outcome.is_(None), 1))).label("pending"),
        )
        .where(Run.superseded.is_(False))
        .group_by(Run.phase, Run.strategy)
    )
    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        counts = connection.execute(query.where(Run.sweep_id == owner)).mappings().all()
    return sorted((Progress(**row) for row in counts), key=lambda one: (PHASES.index(one.phase), one.strategy))


def load(storage: Storage, name: str) -> Stored:
    """All that is stored of a sweep, read in one transaction; UserError for an unknown sweep."""
    import numpy as np

    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        sweep = _sweep(connection, name)
        assert sweep is not None  # require_sweep found it in this transaction
        rows = connection.execute(_select_runs(storage).where(Run.sweep_id == owner)).mappings()
        found = sorted((RunRow(**row) for row in rows), key=_place)
        ours = select(Run.id).where(Run.sweep_id == owner)
        epochs = _epochs(connection, ours)
        traces = connection.execute(
            select(Trace.run_id, Trace.learning_rate).where(Trace.run_id.in_(ours)).order_by(Trace.run_id)
        ).all()
    return Stored(
        sweep, found, epochs, {run_id: np.frombuffer(rates, "<f4").astype(np.float32) for run_id, rates in traces}
    )


def load_frames(storage: Storage, name: str) -> Frames:
    """`load`, with the runs and epochs as data frames."""
    return frames(load(storage, name))


def frames(stored: Stored) -> Frames:
    """The same with the runs and epochs as data frames."""
    return Frames(stored.sweep, _run_frame(stored.runs), _epoch_frame(stored.epochs), stored.traces)


def _run_frame(rows: Sequence[RunRow]) -> "pd.DataFrame":
    """The rows with all of the table's columns, in its order, and with its types even when there are none."""
    import pandas as pd

    names = [column.name for column in Run.__table__.columns]
    columns = {}
    for column in names:
        values = [getattr(row, column) for row in rows]
        if _RUN_TYPES[column].startswith("datetime64"):
            columns[column] = pd.Series(pd.to_datetime(values, utc=True).as_unit("us"))
        else:
            columns[column] = pd.Series(values, dtype=_RUN_TYPES[column])
    return pd.DataFrame(columns, columns=names)


def _epoch_frame(epochs: "Mapping[str, NDArray[np.void]]") -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    counts = [len(each) for each in epochs.values()]
    columns = {"run_id": pd.Series(np.repeat(np.array(list(epochs), dtype=object), counts), dtype="str")}
    values = np.concatenate([np.empty(0, _EPOCH_TYPES), *epochs.values()])
    return pd.DataFrame(columns | {name: np.ascontiguousarray(values[name]) for name, _ in _EPOCH_TYPES})


def _epochs(connection: Connection, ours: Select[Any]) -> "dict[str, NDArray[np.void]]":
    """The epochs of the runs ``ours`` by run.

    There may be millions: they go straight into arrays, and a run's id is read once, not once an epoch.
    """
    import numpy as np

    here = Epoch.run_id.in_(ours)
    counted = select(Epoch.run_id, func.count()).where(here).group_by(Epoch.run_id).order_by(Epoch.run_id)
    counts = connection.execute(counted).all()
    columns = [Epoch.__table__.columns[name] for name, _ in _EPOCH_TYPES]
    rows = connection.execute(select(*columns).where(here).order_by(Epoch.run_id, Epoch.epoch))
    values = np.fromiter((tuple(row) for row in rows), dtype=_EPOCH_TYPES)
    ends = np.cumsum([n for _, n in counts])
    return {run: values[end - n : end] for (run, n), end in zip(counts, ends, strict=True)}


def _sweep(connection: Connection, name: str) -> dict[str, Any] | None:
    row = connection.execute(select(Sweep.__table__).where(Sweep.name == name)).mappings().one_or_none()
    return None if row is None else dict(row)


def _names(connection: Connection) -> list[str]:
    return list(connection.execute(select(Sweep.name).order_by(Sweep.created_at, Sweep.name)).scalars())


def _select_runs(storage: Storage) -> Select[Any]:
    """All columns of ``runs``, in their order; NULL for those that an older layout lacks."""
    lacks = {name for since, columns in ADDED.items() if since > storage.layout for name in columns}
    return select(*(null().label(column.name) if column.name in lacks else column for column in Run.__table__.columns))


def _place(run: Any) -> tuple[Any, ...]:
    """Where a row of ``runs`` stands; sorted here, since databases differ in how they sort text."""
    return PHASES.index(run.phase), run.strategy, run.length, run.repeat, run.slot, run.seed


def _runs(storage: Storage, name: str, phase: str | None, conditions: list[ColumnElement[bool]]) -> list[RunRow]:
    with storage.read() as connection:
        owner = require_sweep(connection, name, storage.where)
        query = _select_runs(storage).where(Run.sweep_id == owner, *conditions)
        if phase is not None:
            query = query.where(Run.phase == phase)
        found = [RunRow(**row) for row in connection.execute(query).mappings()]
    return sorted(found, key=_place)
