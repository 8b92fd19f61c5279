"""``decaybench schedules``: the catalogue, and one kind in full."""

import inspect
import json
from dataclasses import MISSING, fields
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from decaybench.cli.live import wide_console
from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES, Range, Schedule
from decaybench.sweep.arms import LEARNING_RATE

EPOCHS_SHOWN = 100  # some ranges depend on a run's length; they are shown for this one, and say so


def show(kind: str | None, *, as_json: bool) -> None:
    """Print all kinds with a line each, or one kind with its formula, parameters, ranges and source."""
    if kind is not None and kind not in SCHEDULES:
        raise UserError(f"schedules: KIND must be one of {', '.join(SCHEDULES)}, got {kind!r}")
    if as_json:
        kinds = SCHEDULES if kind is None else {kind: SCHEDULES[kind]}
        print(json.dumps([describe(cls) for cls in kinds.values()], indent=2))
        return
    console = wide_console() if kind is None else Console(highlight=False)
    if kind is None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("schedule", "family", "scale = learning rate / base learning rate"):
            table.add_column(column)
        for name, cls in SCHEDULES.items():
            table.add_row(name, cls.family, Text(_first_line(cls)))
        console.print(table)
        return
    about = describe(SCHEDULES[kind])
    console.print(Text(f"{kind} ({about['family']})", style="bold"))
    for paragraph in about["doc"].split("\n\n"):
        console.print(Text(f"\n{' '.join(paragraph.split())}"))
    console.print()
    columns = ("name", "unit", "default", "legal", "searched")
    table = Table("parameter", *columns[1:], box=None, pad_edge=False, header_style="bold")
    for row in about["parameters"]:
        table.add_row(*(Text("" if row[key] is None else str(row[key])) for key in columns))
    console.print(table)
    console.print(Text(f"\nbase learning rate, unless the sweep says otherwise: {about['learning_rate']}"))
    console.print(
        Text("run = the run's length, 1/run = its inverse: a range means the same at any length", style="dim")
    )


def describe(cls: type[Schedule]) -> dict[str, Any]:
    """A kind as plain data: name, family, docstring, and its parameters with unit, default, domain and range."""
    specs = {spec.name: spec for spec in fields(cls)}
    rows = []
    for name in cls.parameters():
        default, options = specs[name].default, cls.options().get(name)
        unit = cls.native_unit(name, {})
        searched = cls.range_of(name, epochs=EPOCHS_SHOWN)
        rows.append(
            {
                "name": name,
                "unit": "" if unit == "1" or options else unit,
                "default": None if default is MISSING or isinstance(default, Range) else default,
                "legal": " | ".join(map(str, options)) if options else specs[name].metadata.get("domain"),
                "searched": None if searched is None else in_words(searched),
            }
        )
    return {
        "kind": cls.kind,
        "family": cls.family,
        "doc": inspect.getdoc(cls) or "",
        "learning_rate": in_words(cls.learning_rate or LEARNING_RATE),
        "parameters": rows,
    }


def _first_line(cls: type[Schedule]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")


def in_words(limits: Range) -> str:
    """A range as the table shows it: ``log 0.05 to 1000 1/run``."""
    if limits.choices is not None:
        text = " | ".join(map(str, limits.choices))
    else:
        text = f"{limits.low:g} to {limits.high:g}"
        text = f"log {text}" if limits.log else text
        text = f"whole {text}" if limits.int else text
        text = f"0 or {text}" if limits.zero_or else text
    if limits.count is not None:
        text = f"{limits.count[0]} to {limits.count[1]} of {text}"
    return text if limits.unit == "1" else f"{text} {limits.unit}"
