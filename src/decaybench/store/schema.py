"""Our tables, made from `columns`, and the version of their layout.

They live beside Optuna's tables in one database, but neither refer to them nor share a version table with them.
SQLite reuses Optuna's ids after a delete, so our ids are UUIDs, and deleting an Optuna study leaves our tables
unchanged. Every number column has a CHECK that keeps NaN and infinity out, whichever program writes.
"""

import math
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
    literal_column,
)
from sqlalchemy.schema import SchemaItem

from decaybench.store.columns import (
    AttemptRow,
    CheckpointRow,
    EpochRow,
    LookRow,
    RunRow,
    StackRow,
    SweepRow,
    TraceRow,
    WorkerRow,
)
from decaybench.store.described import Described, described

_NAMESPACE: Final = uuid.UUID("6f1ad5c2-94a0-5a55-8d0e-3f2f6c1b7e90")


def sweep_id(name: str) -> str:
    """Return the id of the sweep called ``name``: 36 characters that depend on the name alone."""
    return str(uuid.uuid5(_NAMESPACE, name))


def tables(layout: float = math.inf) -> MetaData:
    """Return our tables as of ``layout`` (default: the newest); ``info["since"]`` is the layout that added a part."""
    made = MetaData()
    version = Column("version", Integer, primary_key=True, autoincrement=False, info={"since": 1})
    Table("decaybench_version", made, version, info={"since": 1})
    once = UniqueConstraint(
        "sweep_id", "phase", "strategy", "repeat", "slot", "length", "seed", name="runs_planned_once"
    )
    for name, row, since, constraints in (
        ("sweeps", SweepRow, 1, ()),
        ("runs", RunRow, 1, (once,)),
        ("epochs", EpochRow, 1, ()),
        ("traces", TraceRow, 1, ()),
        ("looks", LookRow, 3, ()),
        ("stacks", StackRow, 5, ()),
        ("attempts", AttemptRow, 5, ()),
        ("checkpoints", CheckpointRow, 5, ()),
        ("workers", WorkerRow, 5, ()),
    ):
        if since <= layout:
            columns = [_column(each) for each in described(row) if each.kept.since <= layout]
            Table(name, made, *columns, *constraints, info={"since": since})
    return made


def _column(each: Described) -> Column[Any]:
    kept = each.kept
    more: list[SchemaItem] = []
    if kept.of is not None:
        more.append(ForeignKey(f"{kept.of}.id", ondelete="CASCADE"))
    if kept.check is not None:
        name, condition = kept.check
        more.append(CheckConstraint(condition.format(each.name), name=f"{each.name}_{name}"))
    given = false() if kept.default is False else literal_column(repr(kept.default))
    default = {} if kept.default is None else {"default": kept.default, "server_default": given}
    return Column(
        each.name,
        kept.sql,
        *more,
        primary_key=kept.key,
        autoincrement=False,
        nullable=each.optional,
        unique=kept.unique or None,
        info={"since": kept.since},
        **default,
    )


METADATA: Final = tables()
"""Our tables in the newest layout, without Optuna's."""
VERSIONS: Final = METADATA.tables["decaybench_version"]
"""A table with one row: the layout of the tables in this database."""
SWEEPS: Final = METADATA.tables["sweeps"]
RUNS: Final = METADATA.tables["runs"]
EPOCHS: Final = METADATA.tables["epochs"]
TRACES: Final = METADATA.tables["traces"]
LOOKS: Final = METADATA.tables["looks"]
STACKS: Final = METADATA.tables["stacks"]
ATTEMPTS: Final = METADATA.tables["attempts"]
CHECKPOINTS: Final = METADATA.tables["checkpoints"]
WORKERS: Final = METADATA.tables["workers"]
TABLES: Final = frozenset(METADATA.tables)
"""The names of our tables, the version table included."""


def lacking(layout: float, found: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the columns, as "runs.pruned", that a database of ``layout`` with the columns ``found`` does not have yet.

    Later layouts add them, or they are those of a metric that the program has measured only since.
    """
    later = [column for table in METADATA.tables.values() for column in table.columns if column.info["since"] > layout]
    return frozenset(str(column) for column in later if column.name not in found.get(column.table.name, ()))


def tables_in(layout: int) -> frozenset[str]:
    """Return the names of the tables that a database of ``layout`` has."""
    return frozenset(tables(layout).tables)
