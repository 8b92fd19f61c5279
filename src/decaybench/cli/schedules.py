"""``decaybench schedules``: the catalogue, or one kind in full, as text, JSON or an image."""

import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from decaybench.cli.console import wide_console
from decaybench.cli.schedules_sketch import sketch
from decaybench.errors import UserError
from decaybench.paths import expanded, typed
from decaybench.schedules import SCHEDULES, Range, Reactive, Schedule
from decaybench.schedules.base import PRODUCTS
from decaybench.schedules.example import EPOCH, TRAINING, UPDATES, Example, example, settings
from decaybench.sweep.arms import LEARNING_RATE

EPOCHS_SHOWN = 100  # some ranges depend on a run's length; this one is shown
SIGNALS = {
    "batch": "the update's loss",
    "ema": "a moving average of it",
    "epoch": "the epoch's mean training loss",
    "held_out": "the loss on the signal split",
}


def show(kind: str | None, *, as_json: bool, plot: str | None = None) -> None:
    """Print one line per kind, or one kind in full with a sketch of its curve; or write an image to ``plot``."""
    if kind is not None and kind not in SCHEDULES:
        raise UserError(f"schedules: {SCHEDULES.refusal(kind)}")
    kinds = SCHEDULES if kind is None else {kind: SCHEDULES[kind]}
    for reason in SCHEDULES.unusable.values() if kind is None else ():
        print(f"not listed: {reason}", file=sys.stderr)
    if plot is not None:
        if as_json:
            raise UserError("--plot: cannot be used together with --json")
        _draw(kinds, file := expanded(plot, "--plot"))
        print(f"{kind or 'schedules'}: {typed(file)}")
    elif as_json:
        print(json.dumps([describe(cls) for cls in kinds.values()], indent=2))
    elif kind is None:
        _list()
    else:
        _tell(kind)


def describe(cls: type[Schedule]) -> dict[str, Any]:
    """A kind as plain data: name, family, the parts of its docstring, what it observes, and its parameters.

    Each parameter has a unit, default, domain and range. ``observes`` names the loss and the products of gradients that
    a reactive kind uses. ``traps``, its pitfalls, and ``source`` are None if the docstring lacks them.
    """
    doc = inspect.getdoc(cls) or ""
    formula, *rest = (" ".join(part.split()).replace("``", "`") for part in doc.split("\n\n"))
    labelled = {label: text for label, _, text in (part.partition(": ") for part in rest)}
    return {
        "kind": cls.kind,
        "family": cls.family,
        "doc": doc,
        "formula": formula,
        "explanation": [part for part in rest if not part.startswith(("Pitfalls: ", "Source: "))],
        "traps": labelled.get("Pitfalls"),
        "source": labelled.get("Source"),
        "observes": ["loss", *cls.observes] if issubclass(cls, Reactive) else [],
        "learning_rate": in_words(cls.learning_rate or LEARNING_RATE),
        "parameters": [_parameter(cls, name) for name in cls.parameters()],
    }


def _parameter(cls: type[Schedule], name: str) -> dict[str, Any]:
    spec = next(spec for spec in fields(cls) if spec.name == name)
    default, options = spec.default, cls.options().get(name)
    unit = cls.native_unit(name, {})
    searched = cls.range_of(name, epochs=EPOCHS_SHOWN)
    return {
        "name": name,
        "unit": "" if unit == "1" or options else unit,
        "default": None if default is MISSING or isinstance(default, Range) else default,
        "legal": " | ".join(map(str, options)) if options else spec.metadata.get("domain"),
        "searched": None if searched is None else in_words(searched),
    }


def observed(cls: type[Schedule]) -> str:
    """What the kind observes, as text."""
    if not issubclass(cls, Reactive):
        return "only the time"
    signals = [SIGNALS[signal] for signal in cls.options().get("signal", ("batch",))]
    loss = f"{', '.join(signals[:-1])} or {signals[-1]} (set by `signal`)" if len(signals) > 1 else signals[0]
    if not cls.observes:
        return loss
    products = " and ".join(PRODUCTS[name] for name in cls.observes)
    direction = ", u_t is what the learning rate multiplies" if "u_" in products else ""
    return f"{loss} and {products} (g_t is the gradient of update t{direction})"


def setting_of(shown: Example) -> str:
    """The values behind an example's curve: ``base learning rate 0.5, decay = 0.01 per epoch``."""
    cls = type(shown.schedule)
    values = [] if shown.loss is None else [f"base learning rate {shown.base_lr:g}"]
    for name, value in settings(cls).items():
        unit = cls.native_unit(name, {})
        words = "" if unit == "1" else f" per {unit[2:]}" if unit.startswith("1/") else f" {unit}{'s' * (value != 1)}"
        numbers = " and ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        values.append(f"{name} = {numbers}{words}")
    return ", ".join(values)


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


def _list() -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("schedule", "family", "scale = learning rate / base learning rate"):
        table.add_column(column)
    for name, cls in SCHEDULES.items():
        table.add_row(name, cls.family, Text(describe(cls)["formula"]))
    wide_console().print(table)


def _tell(kind: str) -> None:
    console, cls = Console(highlight=False), SCHEDULES[kind]
    about = describe(cls)
    console.print(Text(f"{kind} ({about['family']})", style="bold"))
    for paragraph in about["doc"].split("\n\n"):
        console.print(Text(f"\n{' '.join(paragraph.split()).replace('``', '`')}"))
    console.print(Text(f"\nObserves: {observed(cls)}\n"))
    columns = ("name", "unit", "default", "legal", "searched")
    table = Table("parameter", *columns[1:], box=None, pad_edge=False, header_style="bold")
    for row in about["parameters"]:
        table.add_row(*(Text("" if row[key] is None else str(row[key])) for key in columns))
    console.print(table)
    console.print(Text(f"\nbase learning rate, unless the sweep sets it: {about['learning_rate']}"))
    console.print(
        Text(
            "run = the run's length, 1/run = its inverse, so a range means the same at any length\n",
            style="dim",
        )
    )
    try:
        shown = _example(kind)
    except UserError as error:
        console.print(Text(str(error)))
        return
    length = f"{UPDATES} updates, {EPOCH} per epoch"
    run = f"an example run of {length}" if shown.loss is None else f"an example training of {length}: {TRAINING}"
    console.print(Text(f"the scale in {run}"))
    console.print(Text(setting_of(shown), style="dim"))
    width = max(20, min(60, console.width - 12))
    for line in sketch(shown.scale.tolist(), width=width, ascii_only=console.options.ascii_only):
        console.print(Text(line), soft_wrap=True)


def _example(kind: str) -> Example:
    """The kind's example run; UserError for a kind (perhaps of another package) that has none."""
    torch.set_num_threads(1)  # the updates are tiny, so a second thread only costs time
    try:
        return example(SCHEDULES[kind])
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{kind}: its curve cannot be shown: {' '.join(str(error).split())}") from error


def _draw(kinds: Mapping[str, type[Schedule]], file: Path) -> None:
    """Write an image of the curves; among several kinds, one without an example is skipped with a note on stderr."""
    from decaybench.report.figures import schedules as picture

    if file.suffix.lower() not in picture.SUFFIXES:
        raise UserError(f"--plot: FILE must end in {' or '.join(picture.SUFFIXES)}, got {str(file)!r}")
    examples = {}
    for kind in kinds:
        try:
            examples[kind] = _example(kind)
        except UserError as error:
            if len(kinds) == 1:
                raise
            print(f"skipped: {error}", file=sys.stderr)
    content = picture.render(examples, file.suffix.lower())
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UserError(f"--plot: {file} cannot be written: {error.strerror}") from error
