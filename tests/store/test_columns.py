"""The one description of a run's row, and what follows from it."""

import math
from dataclasses import dataclass, fields
from typing import Annotated

import pytest
from sqlalchemy import String
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from decaybench.store import VERSION, Mirror, NewRun, RunResult, RunRow, data_columns
from decaybench.store.columns import EpochRow, Kept, LookRow, SweepRow, TraceRow, Writer, described
from decaybench.store.schema import METADATA, tables, tables_in


def by(writer: Writer) -> set[str]:
    return {column.name for column in described(RunRow) if column.kept.by == writer}


def names(row: type) -> set[str]:
    return {field.name for field in fields(row)}


def test_who_writes_a_column_has_a_field_for_it() -> None:
    assert by("plan") == names(NewRun) | {"sweep_id"}
    assert by("mirror") == names(Mirror) - {"run_id"}
    assert by("result") == names(RunResult) - {"run_id", "trace"} | {"finished_at"}
    assert by("attempt") == {"attempt", "device", "precision", "started_at", "reason"}
    assert by("stacks") | by("selection") == {"stack", "superseded"}
    assert all(column.kept.by for column in described(RunRow))


def test_a_number_column_keeps_nan_and_infinity_out() -> None:
    for row in (SweepRow, RunRow, EpochRow, LookRow):
        assert all(column.kept.check for column in described(row) if column.python is float)


@pytest.mark.parametrize("row", [SweepRow, RunRow, EpochRow, TraceRow])
def test_what_a_later_layout_brought_may_be_missing(row: type) -> None:
    for column in described(row):
        late = 1 < column.kept.since <= VERSION or column.kept.since == math.inf
        assert column.kept.since == 1 or (late and (column.optional or column.kept.default is not None))


def test_the_looks_that_layout_3_could_not_hold_had_no_rows_to_lack_anything() -> None:
    late = {column.name for column in described(LookRow) if column.kept.since != 1}
    assert (
        late
        == {"to_repeats", "margin_source", "outcome"}
        == {column.name for column in described(LookRow) if column.kept.since == 4}
    )
    assert {*tables(3).tables["looks"].columns.keys()} == names(LookRow) - late


def test_a_layout_has_what_it_and_those_before_it_brought() -> None:
    first, second = tables(1), tables(2)
    assert tables_in(1) == tables_in(2) == tables_in(3) - {"looks"} == {*first.tables}
    added = set(second.tables["runs"].columns.keys()) - set(first.tables["runs"].columns.keys())
    assert added == {"replay_of", "pruned", "updates_computed"}
    assert tables(VERSION).tables.keys() == METADATA.tables.keys()


@dataclass(frozen=True)
class Bookkept:
    id: Annotated[str, Kept(String(36), key=True)]
    taken_by: Annotated[str | None, Kept(String(36), "attempt", since=4, data=False)]


def test_what_is_not_data_is_kept_for_the_program_itself() -> None:
    assert [column.name for column in described(Bookkept)] == ["id", "taken_by"]
    assert data_columns(Bookkept) == ("id",)
    assert {field.name for field in fields(RunRow)} - set(data_columns(RunRow)) == {"reason"}


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda dialect: dialect.name)
def test_looks_are_kept_by_sweep_length_and_step(dialect: object) -> None:
    made = str(CreateTable(METADATA.tables["looks"]).compile(dialect=dialect))  # type: ignore[arg-type]
    assert "PRIMARY KEY (sweep_id, length, step)" in made and "ON DELETE CASCADE" in made
