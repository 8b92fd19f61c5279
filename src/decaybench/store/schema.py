"""The tables: sweeps, runs, epochs, traces, and the version of their layout.

They live beside Optuna's tables in one database and neither refer to them nor share a version table with
them: Optuna's ids are used again by SQLite after a delete, so ours are UUIDs, and what Optuna deletes leaves
ours alone. Every number column has a CHECK that keeps NaN and infinity out, whoever writes.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

VERSION: Final = 2
"""The layout that this code writes; the one row of ``decaybench_version``. Older ones are read as they are."""

ADDED: Final = {
    2: {
        "replay_of": "VARCHAR(36)",
        "pruned": "VARCHAR(16) CONSTRAINT pruned_known CHECK (pruned IN ('stopped', 'spared'))",
        "updates_computed": "BIGINT CONSTRAINT updates_computed_least CHECK (updates_computed >= 0)",
    }
}
"""By layout, the columns that it gave ``runs``, and how they are added; all may be NULL. Nothing else ever changed."""

PHASES: Final = ("search", "confirm", "replay")
STATUSES: Final = ("pending", "running", "complete")
OUTCOMES: Final = ("finished", "diverged", "failed")
PRUNED: Final = ("stopped", "spared")

_NAMESPACE: Final = uuid.UUID("6f1ad5c2-94a0-5a55-8d0e-3f2f6c1b7e90")
_LARGEST_FLOAT: Final = "1.7976931348623157e308"
_SEEDS: Final = 2**53  # exact in JSON and in a float


def sweep_id(name: str) -> str:
    """The id of the sweep called ``name``: a pure function of it, 36 characters."""
    return str(uuid.uuid5(_NAMESPACE, name))


class JsonText(TypeDecorator[Any]):
    """JSON as text, which keeps every digit of a float; keys in their order, or sorted with ``sort_keys``."""

    impl = Text
    cache_ok = True

    def __init__(self, sort_keys: bool) -> None:
        super().__init__()
        self.sort_keys = sort_keys

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """``value`` as text, None as NULL; ValueError for a NaN or an infinity, which JSON does not have."""
        if value is None:
            return None
        return json.dumps(value, sort_keys=self.sort_keys, allow_nan=False, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The parsed text, NULL as None."""
        return None if value is None else json.loads(value)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; on SQLite ISO text of one width, which sorts: ``2026-11-21T01:37:33.326000+00:00``."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no type for a moment with a time zone, so it gets text."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """``value`` in UTC; ValueError when it does not say which time zone it is in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment must have a time zone, got {value.isoformat()}")
        moment = value.astimezone(UTC)
        return moment.isoformat(timespec="microseconds") if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """An aware datetime in UTC."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _finite(column: str) -> CheckConstraint:
    """NULL passes a CHECK. PostgreSQL orders NaN above every number; SQLite makes it NULL by itself."""
    return CheckConstraint(f"{column} BETWEEN -{_LARGEST_FLOAT} AND {_LARGEST_FLOAT}", name=f"{column}_finite")


def _within(column: str, low: int, high: int) -> CheckConstraint:
    return CheckConstraint(f"{column} BETWEEN {low} AND {high}", name=f"{column}_range")


def _at_least(column: str, low: int) -> CheckConstraint:
    return CheckConstraint(f"{column} >= {low}", name=f"{column}_least")


class Base(DeclarativeBase):
    """The base of our tables; its ``metadata`` holds them and nothing of Optuna's."""


class Version(Base):
    """One row: the layout of the tables in this database."""

    __tablename__ = "decaybench_version"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Sweep(Base):
    """One question. ``spec`` keeps the order of its keys, since that of the strategies means something."""

    __tablename__ = "sweeps"
    __table_args__ = (_one_of("status", STATUSES),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    question: Mapped[str] = mapped_column(Text)
    spec: Mapped[dict[str, Any]] = mapped_column(JsonText(sort_keys=False))
    spec_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="pending", server_default="pending")
    created_at: Mapped[datetime] = mapped_column(Moment)
    provenance: Mapped[dict[str, Any]] = mapped_column(JsonText(sort_keys=True))


class Run(Base):
    """One training of one model, kept through its retries; ``outcome`` is NULL while it is pending.

    ``stack`` is the number of the stack that it is trained in; a ``superseded`` run belongs to a former
    winner. ``replay_of`` names the confirm run whose learning rates a replay run is trained with. ``pruned`` says what
    pruning did: a run that was ``stopped`` is finished, after fewer epochs; one that was ``spared`` would have been
    stopped. ``updates_computed`` are those of its updates that were not computed for another run before it: runs that
    begin alike share theirs. So the sum over all runs is what was really computed, exactly where no run diverges, and a
    little less otherwise: what a run's lane computes from the update in which it diverges on counts for no run.
    """

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("sweep_id", "phase", "strategy", "repeat", "slot", "length", "seed", name="runs_planned_once"),
        _one_of("phase", PHASES),
        _one_of("outcome", OUTCOMES),
        _at_least("repeat", 0),
        _at_least("slot", 0),
        CheckConstraint("length > 0 AND length <= 1", name="length_range"),
        _within("seed", 0, _SEEDS - 1),
        _at_least("epochs_done", 0),
        _finite("validation_loss"),
        _within("validation_accuracy", 0, 1),
        _finite("test_loss"),
        _within("test_accuracy", 0, 1),
        CheckConstraint(
            "phase <> 'search' OR (test_loss IS NULL AND test_accuracy IS NULL)", name="search_reads_no_test"
        ),
        _at_least("diverged_step", 0),
        _at_least("attempt", 0),
        _one_of("pruned", PRUNED),
        _at_least("updates_computed", 0),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"))
    phase: Mapped[str] = mapped_column(String(16))
    strategy: Mapped[str] = mapped_column(String(64))
    repeat: Mapped[int]
    slot: Mapped[int]
    length: Mapped[float] = mapped_column(Float(53))
    seed: Mapped[int] = mapped_column(BigInteger)
    trial_number: Mapped[int | None]
    params: Mapped[dict[str, Any] | None] = mapped_column(JsonText(sort_keys=True))
    outcome: Mapped[str | None] = mapped_column(String(16))
    epochs_done: Mapped[int] = mapped_column(default=0, server_default="0")
    validation_loss: Mapped[float | None] = mapped_column(Float(53))
    validation_accuracy: Mapped[float | None] = mapped_column(Float(53))
    test_loss: Mapped[float | None] = mapped_column(Float(53))
    test_accuracy: Mapped[float | None] = mapped_column(Float(53))
    diverged_step: Mapped[int | None] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    device: Mapped[str | None] = mapped_column(Text)
    precision: Mapped[str | None] = mapped_column(String(16))
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    stack: Mapped[int | None]
    superseded: Mapped[bool] = mapped_column(default=False, server_default=false())
    replay_of: Mapped[str | None] = mapped_column(String(36))
    pruned: Mapped[str | None] = mapped_column(String(16))
    updates_computed: Mapped[int | None] = mapped_column(BigInteger)


class Epoch(Base):
    """What one epoch of one run gave; ``epoch`` counts from 1, ``learning_rate`` is the epoch's last."""

    __tablename__ = "epochs"
    __table_args__ = (
        _at_least("epoch", 1),
        _finite("train_loss"),
        _finite("validation_loss"),
        _within("validation_accuracy", 0, 1),
        _finite("learning_rate"),
        _finite("seconds"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    train_loss: Mapped[float] = mapped_column(Float(53))
    validation_loss: Mapped[float] = mapped_column(Float(53))
    validation_accuracy: Mapped[float] = mapped_column(Float(53))
    learning_rate: Mapped[float] = mapped_column(Float(53))
    seconds: Mapped[float] = mapped_column(Float(53))


class Trace(Base):
    """Every learning rate a run used: float32 little-endian, one value per update made."""

    __tablename__ = "traces"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    learning_rate: Mapped[bytes] = mapped_column(LargeBinary)


TABLES: Final = frozenset(Base.metadata.tables)
"""The names of our tables, the version table included."""
