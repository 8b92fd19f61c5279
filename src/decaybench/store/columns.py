"""The columns of our tables: the single description from which everything else is derived.

A field's annotation gives its type, whether it may be missing, and `Kept`: how the database stores it. The tables
(`schema`), what is read and written, the data frames' types, the columns of runs.csv and the tests' synthetic sweeps
are made from it. To add a column, add the field here and a function to `migrations`, and write the value.

The columns of the metrics follow from METRICS. Those of accuracy and loss are fields here; those of further metrics are
added by `measured`. They belong to no layout, and a database gets those that it lacks when it is opened for writing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, String, Text
from sqlalchemy.types import TypeEngine

from decaybench.metrics import METRICS
from decaybench.store.sqltypes import JsonText, Moment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = TypeVar("Row")

PHASES: Final = ("search", "confirm", "replay")
STATUSES: Final = ("pending", "running", "stopped", "complete")
OUTCOMES: Final = ("finished", "diverged", "failed")
PRUNED: Final = ("stopped", "spared")
MARGIN_SOURCES: Final = ("file", "default")
STACK_STATES: Final = ("offered", "held", "ended", "done", "failed")
ENDINGS: Final = ("finished", "left", "failed", "lost")

Writer = Literal["plan", "mirror", "stacks", "attempt", "result", "selection"]
"""What fills a column of ``runs``: `NewRun`, `Mirror`, `set_stacks`, `offer`, `RunResult` or `supersede`."""

_LARGEST_FLOAT: Final = "1.7976931348623157e308"
_SEEDS: Final = 2**53  # exact in JSON and in a float
_FRAME_TYPES: Final = {
    str: "str",
    int: "int64",
    float: "float64",
    bool: "bool",
    dict: "object",
    datetime: "datetime64[us, UTC]",
}


class Check(NamedTuple):
    """A CHECK on one column: the suffix of its name, and its condition with ``{}`` for the column."""

    name: str
    condition: str


def one_of(values: tuple[str, ...]) -> Check:
    """Return a check that allows only these texts."""
    return Check("known", f"{{}} IN ({', '.join(map(repr, values))})")


def within(low: float, high: float) -> Check:
    """Return a check for ``low`` to ``high``, both included."""
    return Check("range", f"{{}} BETWEEN {low} AND {high}")


def at_least(low: int) -> Check:
    """Return a check for ``low`` or more."""
    return Check("least", f"{{}} >= {low}")


FINITE: Final = Check("finite", f"{{}} BETWEEN -{_LARGEST_FLOAT} AND {_LARGEST_FLOAT}")
"""NULL passes a CHECK. PostgreSQL orders NaN above every number; SQLite makes it NULL by itself."""
LENGTH: Final = Check("range", "{0} > 0 AND {0} <= 1")


@dataclass(frozen=True)
class Kept:
    """How the database stores a field: its SQL type and, for a column of ``runs``, what writes it (``by``).

    ``since`` is the layout that added it, or infinity for a column of `measured`; if that is later than 1, older rows
    hold NULL or ``default``. ``of`` is the table that it refers to. ``data`` says whether it belongs to the sweep's
    data, and so to data frames, runs.csv and the hashes of a report's manifest; other columns are internal.
    """

    sql: TypeEngine[Any]
    by: Writer | None = None
    check: Check | None = None
    _: KW_ONLY
    since: float = 1
    default: Any = None
    key: bool = False
    of: str | None = None
    unique: bool = False
    data: bool = True


class Described(NamedTuple):
    """A column: its name, its Python type, whether it may be NULL, and how it is stored."""

    name: str
    python: type
    optional: bool
    kept: Kept

    @property
    def frame_type(self) -> str:
        """Its type in a data frame, where an integer that may be missing is a float with NaN."""
        return "float64" if self.optional and self.python is int else _FRAME_TYPES[self.python]


@cache
def described(row: type) -> tuple[Described, ...]:
    """Return the columns that a row type describes, in order."""
    found = []
    for name, hint in get_type_hints(row, include_extras=True).items():
        python, kept = get_args(hint)
        kinds = [kind for kind in get_args(python) if kind is not type(None)] if type(None) in get_args(python) else []
        plain = kinds[0] if kinds else python
        found.append(Described(name, get_origin(plain) or plain, bool(kinds), kept))
    return tuple(found)


def data_columns(row: type) -> tuple[str, ...]:
    """Return the names of the columns that belong to a sweep's data, in order."""
    return tuple(column.name for column in described(row) if column.kept.data)


def measured(*parts: str, by: Writer | None = None) -> Callable[[type[Row]], type[Row]]:
    """Add to a row type the field ``PART_NAME``, by default None, for each part and each metric that it does not name.

    Apply it before `dataclass`.
    """

    def add(row: type[Row]) -> type[Row]:
        for metric in METRICS.values():
            kept = Kept(Float(53), by, within(0, metric.high) if metric.bounded else FINITE, since=math.inf)
            for name in (f"{part}_{metric.name}" for part in parts):
                if name not in row.__annotations__:
                    row.__annotations__[name] = Annotated[float | None, kept]
                    setattr(row, name, None)
        return row

    return add


@dataclass(frozen=True)
class SweepRow:
    """One sweep. ``spec`` keeps the order of its keys, because the order of the strategies matters."""

    id: Annotated[str, Kept(String(36), key=True)]
    name: Annotated[str, Kept(String(64), unique=True)]
    question: Annotated[str, Kept(Text())]
    spec: Annotated[dict[str, Any], Kept(JsonText(sort_keys=False))]
    spec_hash: Annotated[str, Kept(String(64))]
    status: Annotated[str, Kept(String(16), default="pending")]
    created_at: Annotated[datetime, Kept(Moment())]
    provenance: Annotated[dict[str, Any], Kept(JsonText(sort_keys=True))]


@dataclass(frozen=True)
@measured("validation", "test", by="result")
class RunRow:
    """One training of one model, kept through its retries; ``outcome`` is NULL while it is pending.

    ``stack`` is the number of the stack in which the run is trained. A ``superseded`` run is no longer in the plan: it
    retrained a trial that is no longer chosen, or searched for a step that the file has changed since. ``replay_of`` is
    the id of the confirm run whose learning rates a replay run uses. ``pruned`` says what pruning did: a ``stopped``
    run finished after fewer epochs; a ``spared`` one would have been stopped. ``reason`` says why a run failed.

    ``updates_computed`` counts the run's updates that were not already computed for another run: runs that begin alike
    share updates. Its sum over all runs is the work done. The sum is slightly low if runs diverge, because updates that
    a lane computes after its run has diverged are not counted for any run.
    """

    id: Annotated[str, Kept(String(36), "plan", key=True)]
    sweep_id: Annotated[str, Kept(String(36), "plan", of="sweeps")]
    phase: Annotated[str, Kept(String(16), "plan", one_of(PHASES))]
    strategy: Annotated[str, Kept(String(64), "plan")]
    repeat: Annotated[int, Kept(Integer(), "plan", at_least(0))]
    slot: Annotated[int, Kept(Integer(), "plan", at_least(0))]
    length: Annotated[float, Kept(Float(53), "plan", LENGTH)]
    seed: Annotated[int, Kept(BigInteger(), "plan", within(0, _SEEDS - 1))]
    trial_number: Annotated[int | None, Kept(Integer(), "mirror")]
    params: Annotated[dict[str, Any] | None, Kept(JsonText(sort_keys=True), "mirror")]
    outcome: Annotated[str | None, Kept(String(16), "result")]
    epochs_done: Annotated[int, Kept(Integer(), "result", at_least(0), default=0)]
    validation_loss: Annotated[float | None, Kept(Float(53), "result", FINITE)]
    validation_accuracy: Annotated[float | None, Kept(Float(53), "result", within(0, 1))]
    test_loss: Annotated[float | None, Kept(Float(53), "result", FINITE)]
    test_accuracy: Annotated[float | None, Kept(Float(53), "result", within(0, 1))]
    diverged_step: Annotated[int | None, Kept(BigInteger(), "result", at_least(0))]
    attempt: Annotated[int, Kept(Integer(), "attempt", at_least(0), default=0)]
    device: Annotated[str | None, Kept(Text(), "attempt")]
    precision: Annotated[str | None, Kept(String(16), "attempt")]
    started_at: Annotated[datetime | None, Kept(Moment(), "attempt")]
    finished_at: Annotated[datetime | None, Kept(Moment(), "result")]
    stack: Annotated[int | None, Kept(Integer(), "stacks")]
    superseded: Annotated[bool, Kept(Boolean(), "selection", default=False)]
    replay_of: Annotated[str | None, Kept(String(36), "plan", since=2)]
    pruned: Annotated[str | None, Kept(String(16), "result", one_of(PRUNED), since=2)]
    updates_computed: Annotated[int | None, Kept(BigInteger(), "result", at_least(0), since=2)]
    reason: Annotated[str | None, Kept(Text(), "attempt", since=5, data=False)]


@dataclass(frozen=True)
class NewRun:
    """A planned run; the planner chooses its ``id``."""

    id: str
    phase: str
    strategy: str
    repeat: int
    slot: int
    length: float
    seed: int
    replay_of: str | None = None


@dataclass(frozen=True)
class Mirror:
    """The number of a run's trial in the Optuna study, None if it has none; and its parameters in native units."""

    run_id: str
    trial_number: int | None
    params: Mapping[str, Any]


@dataclass(frozen=True)
@measured("validation", "test")
class RunResult:
    """How a run ended.

    ``epochs_done`` is the number of its rows in ``epochs``; ``trace`` (updates made,) holds its learning rates.
    ``updates_computed`` and ``pruned`` are as in `RunRow`.
    """

    run_id: str
    outcome: str
    epochs_done: int
    _: KW_ONLY
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    diverged_step: int | None = None
    updates_computed: int | None = None
    pruned: str | None = None
    trace: "NDArray[np.float32] | None" = None


@dataclass(frozen=True)
@measured("validation")
class EpochRow:
    """One epoch of a run: ``epoch`` from 1, losses in nats, accuracy in [0, 1], the epoch's last learning rate."""

    run_id: Annotated[str, Kept(String(36), key=True, of="runs")]
    epoch: Annotated[int, Kept(Integer(), None, at_least(1), key=True)]
    train_loss: Annotated[float, Kept(Float(53), None, FINITE)]
    validation_loss: Annotated[float, Kept(Float(53), None, FINITE)]
    validation_accuracy: Annotated[float, Kept(Float(53), None, within(0, 1))]
    learning_rate: Annotated[float, Kept(Float(53), None, FINITE)]
    seconds: Annotated[float, Kept(Float(53), None, FINITE)]


@dataclass(frozen=True)
class TraceRow:
    """Every learning rate a run used: float32 little-endian, one value per update made."""

    run_id: Annotated[str, Kept(String(36), key=True, of="runs")]
    learning_rate: Annotated[bytes, Kept(LargeBinary())]


@dataclass(frozen=True)
class LookRow:
    """What a sweep showed at one look at one of its lengths, and what followed from it.

    ``step`` numbers a sweep's looks. ``repeats`` is the highest number of repeats looked at; it does not identify a
    look, because a strategy that catches up is looked at after a number of repeats that others reached earlier.
    ``to_repeats`` is the sweep file's ``to`` at the time, and ``spent`` the share of the error spent so far. ``margin``
    is the smallest difference that matters, in the metric's unit, from the "file" or the "default". ``strategies`` maps
    each label to its repeats, estimate, bound and state. ``outcome`` holds the leader, the pick, and whether the sweep
    is settled; ``trained_next`` the members of the next step and up to how many repeats they train, or nothing.
    """

    sweep_id: Annotated[str, Kept(String(36), key=True, of="sweeps")]
    length: Annotated[float, Kept(Float(53), None, LENGTH, key=True)]
    step: Annotated[int, Kept(Integer(), None, at_least(0), key=True)]
    repeats: Annotated[int, Kept(Integer(), None, at_least(1))]
    spent: Annotated[float, Kept(Float(53), None, within(0, 1))]
    margin: Annotated[float, Kept(Float(53), None, FINITE)]
    strategies: Annotated[dict[str, Any], Kept(JsonText(sort_keys=False))]
    trained_next: Annotated[dict[str, Any], Kept(JsonText(sort_keys=False))]
    to_repeats: Annotated[int, Kept(Integer(), None, at_least(1), since=4)]
    margin_source: Annotated[str, Kept(String(16), None, one_of(MARGIN_SOURCES), since=4)]
    outcome: Annotated[dict[str, Any], Kept(JsonText(sort_keys=False), since=4)]


@dataclass(frozen=True)
class StackRow:
    """A stack that has been handed out: the runs of the sweep whose ``stack`` is this number.

    ``state`` is "offered" until a worker takes it; "held" while that ``worker`` trains it; "ended" if that failed and
    another attempt is due; "done" once the runs have their results; "failed" if it was given up, with the ``reason``.
    ``attempt`` counts from 1. Only the current attempt may write. ``lease_until``, in seconds since 1970 by the
    database's clock, is when a worker that has stopped renewing its lease counts as lost. ``width`` is the number of
    models that go through the network at once, None for the sweep's.
    """

    sweep_id: Annotated[str, Kept(String(36), key=True, of="sweeps", since=5)]
    stack: Annotated[int, Kept(Integer(), None, at_least(0), key=True, since=5)]
    state: Annotated[str, Kept(String(16), None, one_of(STACK_STATES), since=5)]
    attempt: Annotated[int, Kept(Integer(), None, at_least(1), since=5)]
    width: Annotated[int | None, Kept(Integer(), None, at_least(1), since=5)]
    worker: Annotated[str | None, Kept(Text(), since=5)]
    lease_until: Annotated[float | None, Kept(Float(53), None, FINITE, since=5)]
    reason: Annotated[str | None, Kept(Text(), since=5)]


@dataclass(frozen=True)
class AttemptRow:
    """One attempt at a stack, and how it ended: "finished", "left" (its worker was asked to leave), "failed" (an
    exception, in ``reason``) or "lost" (its worker died or stopped renewing its lease); NULL if nobody saw it end.
    """

    sweep_id: Annotated[str, Kept(String(36), key=True, of="sweeps", since=5)]
    stack: Annotated[int, Kept(Integer(), None, at_least(0), key=True, since=5)]
    attempt: Annotated[int, Kept(Integer(), None, at_least(1), key=True, since=5)]
    worker: Annotated[str | None, Kept(Text(), since=5)]
    started_at: Annotated[datetime, Kept(Moment(), since=5)]
    ended_at: Annotated[datetime | None, Kept(Moment(), since=5)]
    ended: Annotated[str | None, Kept(String(16), None, one_of(ENDINGS), since=5)]
    reason: Annotated[str | None, Kept(Text(), since=5)]


@dataclass(frozen=True)
class CheckpointRow:
    """The last checkpoint of a stack on a server (`checkpoints`)."""

    sweep_id: Annotated[str, Kept(String(36), key=True, of="sweeps", since=5)]
    stack: Annotated[int, Kept(Integer(), None, at_least(0), key=True, since=5)]
    attempt: Annotated[int, Kept(Integer(), None, at_least(1), since=5)]
    epochs: Annotated[int, Kept(Integer(), None, at_least(0), since=5)]
    made_with: Annotated[str, Kept(Text(), since=5)]
    sha256: Annotated[str, Kept(String(64), since=5)]
    data: Annotated[bytes, Kept(LargeBinary(), since=5)]
