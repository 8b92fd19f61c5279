"""``decaybench schedules``: the catalogue, and one kind in full."""

import inspect
import json
from dataclasses import MISSING, fields
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from decaybench.errors import UserError
from decaybench.schedules import SCHEDULES, Range, Schedule

EPOCHS_SHOWN = 100  # some ranges depend on a run's length; they are shown for this one, and say so


def show(kind: str | None, *, as_json: bool) -> None:
    """Print all kinds with a line each, or one kind with its formula, parameters, ranges and source."""
    if kind is not None and kind not in SCHEDULES:
        raise UserError(f"schedules: KIND must be one of {', '.join(SCHEDULES)}, got {kind!r}")
    if as_json:
        kinds = SCHEDULES if kind is None else {kind: SCHEDULES[kind]}
        print(json.dumps([describe(cls) for cls in kinds.values()], indent=2))
        return
    console = Console(highlight=False)
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
    console.print(Text(f"\n{about['doc']}\n"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("parameter", "unit", "default", "legal", "searched"):
        table.add_column(column)
    for parameter in about["parameters"]:
        table.add_row(*(Text(str(parameter[key] or "")) for key in ("name", "unit", "default", "legal", "searched")))
    console.print(table)
    console.print(
        Text(
            "\nrun = the run's length, 1/run = its inverse; searched ranges mean the same at any length.",
            style="dim",
        )
    )


def describe(cls: type[Schedule]) -> dict[str, Any]:
    """A kind as plain data: name, family, docstring, and its parameters with default, domain and range."""
    defaults = {spec.name: spec.default for spec in fields(cls)}
    legal = cls.options()
    rows = []
    for spec in fields(cls):
        default = defaults[spec.name]
        searched = cls.range_of(spec.name, epochs=EPOCHS_SHOWN)
        options = legal.get(spec.name)
        rows.append(
            {
                "name": spec.name,
                "unit": "" if (unit := cls.native_unit(spec.name, {})) == "1" else unit,
                "default": None if default is MISSING or isinstance(default, Range) else default,
                "legal": " | ".join(map(str, options)) if options else str(spec.metadata.get("domain", "")),
                "searched": "" if searched is None else in_words(searched),
            }
        )
    order = {name: place for place, name in enumerate(cls.parameters())}
    rows.sort(key=lambda row: order[str(row["name"])])
    rate = cls.learning_rate
    return {
        "kind": cls.kind,
        "family": cls.family,
        "doc": inspect.getdoc(cls) or "",
        "learning_rate": None if rate is None else in_words(rate),
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
