"""Compares a report's folder with what its database gives, and lists every value that differs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from decaybench.findings.join import join
from decaybench.findings.results import collect
from decaybench.findings.summary import summarise
from decaybench.report.folder.manifest import MANIFEST, manifest_text, sha256, versions
from decaybench.report.folder.writer import DECISION, report_files

if TYPE_CHECKING:
    from decaybench.store import Stored

KEYS: Final = {
    "summary.csv": ("strategy", "length"),
    "verdicts.csv": ("a", "b", "length"),
    "looks.csv": ("sweep", "length", "step", "strategy"),
    "ledger.csv": ("strategy", "length"),
    "runs.csv": ("id",),
}
"""The columns that identify a row; rows of other tables are numbered from 1."""
MOST: Final = 20
"""The most differences of one file that are listed."""


class Verified(NamedTuple):
    """The report's folder, how many files and rows of ``runs`` it was compared with, and one line per difference."""

    folder: Path
    files: int
    runs: int
    differences: tuple[str, ...]


def compare(
    folder: Path,
    manifest: Mapping[str, Any],
    sweeps: Sequence[Stored],
    sources: Sequence[Mapping[str, Any]],
    contradictions: Sequence[str],
) -> Verified:
    """Compare the report in ``folder``, with this ``manifest``, with the one that its ``sweeps`` give now.

    ``sources`` come from `manifest.source`, and ``contradictions`` from `runner.audit`.
    """
    lines = _against_database(manifest["sweeps"], sources)
    lines += _shortened("database", [f"database: {line}" for line in contradictions])
    files: dict[str, str] = {}
    try:
        evidence = join(sweeps)
        files = report_files(summarise(collect(evidence)), evidence.runs, sources, versions())
    except Exception as error:  # one wrong digit may be enough; a report that cannot be made is not verified
        lines.append(f"database: no report can be made from it: {error}")
    else:
        lines += _against_files(folder, manifest, files)
    here = versions()
    other = [f"{name} {was}" for name, was in manifest["written_by"].items() if was != here.get(name)]
    if lines and other:
        lines.append(
            f"the report was written by {', '.join(other)}; other versions may differ in figures and last digits"
        )
    return Verified(folder, len(files), sum(len(stored.runs) for stored in sweeps), tuple(lines))


def _against_database(stored: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare the manifest's sweeps with those that `manifest.source` makes from the database."""
    lines = []
    for theirs, ours in zip(stored, found, strict=True):
        said, given = dict(_leaves(theirs)), dict(_leaves(ours))
        for key in [*given, *(key for key in said if key not in given)]:
            if said.get(key) == given.get(key):
                continue
            table, _, part = key.partition(".")
            if table == "database":
                lines.append(f"database: sweep {ours['name']}: {part}: differs from what the report was made from")
            else:
                lines.append(f"{MANIFEST}: {ours['name']}: {key}: {_two(said.get(key), given.get(key))}")
    return lines


def _against_files(folder: Path, stored: Mapping[str, Any], files: Mapping[str, str]) -> list[str]:
    """Compare the files in ``folder`` and its manifest ``stored`` with all ``files`` that the database gives."""
    lines = []
    written: Mapping[str, str] = stored["files"]
    expected = {name: text for name, text in files.items() if name != MANIFEST}
    for name, text in expected.items():
        lines += _against_file(folder / name, name, written.get(name), text)
    lines += [f"{MANIFEST}: files: {name}: not a file of this report" for name in written if name not in expected]
    same = manifest_text(stored["sweeps"], expected, stored["written_by"]) == (folder / MANIFEST).read_text("utf-8")
    return lines if lines or same else [f"{MANIFEST}: changed since it was written"]


def _against_file(path: Path, name: str, stored: str | None, text: str) -> list[str]:
    try:
        found = path.read_bytes()
    except OSError as error:
        return [f"{name}: cannot be read: {error.strerror}"]
    if found == text.encode():
        return [] if stored == sha256(found) else [f"{MANIFEST}: files: {name}: {stored} is not its SHA-256"]
    lines: list[str] = []
    if path.suffix == ".csv":
        lines = [f"{name}: {line}" for line in _against_table(found, text, KEYS.get(name, ()))]
    elif name == DECISION:
        lines = [f"{name}: {line}" for line in _against_data(found, text)]
    why = "differs from what the database gives" if stored == sha256(found) else "changed since it was written"
    return _shortened(name, lines) or [f"{name}: {why}"]


def _against_table(found: bytes, text: str, keys: Sequence[str]) -> Iterator[str]:
    """The cells that differ, row by row; none if the files differ only in how they are written."""
    try:
        (their_header, *theirs), (header, *ours) = _rows(found.decode()), _rows(text)
    except (ValueError, csv.Error):
        return
    if their_header != header:
        yield f"columns: {_two(', '.join(their_header), ', '.join(header))}"
        return
    places = [header.index(key) for key in keys]
    said, given = _named(theirs, places), _named(ours, places)
    # A row whose name was changed counts as missing under its old name and strange under its new one.
    strange, missing = ([name for name in one if name not in other] for one, other in ((said, given), (given, said)))
    if len(strange) == len(missing):
        said |= {name: said[was] for name, was in zip(missing, strange, strict=True)}
    else:
        yield from (f"{name}: this row is only in the report" for name in strange)
        yield from (f"{name}: this row is missing from the report" for name in missing)
    for name, row in given.items():
        for column, a, b in zip_longest(header, said.get(name, row), row):
            if a != b:
                yield f"{name}: {column}: {_two(a, b)}"


def _against_data(found: bytes, text: str) -> Iterator[str]:
    """The values of a JSON object that differ; none if the two differ only in how they are written."""
    try:
        said, given = (dict(_leaves(json.loads(each))) for each in (found, text))
    except ValueError:
        return
    for key in dict.fromkeys([*given, *said]):
        if said.get(key) != given.get(key):
            yield f"{key}: {_two(said.get(key), given.get(key))}"


def _shortened(what: str, lines: list[str]) -> list[str]:
    """At most MOST of the lines, then the number of the others."""
    return lines if len(lines) <= MOST else [*lines[:MOST], f"{what}: and {len(lines) - MOST} more differences"]


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def _named(rows: Sequence[Sequence[str]], places: Sequence[int]) -> dict[str, Sequence[str]]:
    """The rows by their key columns, or by number; of two with the same keys, the later one is numbered."""
    named: dict[str, Sequence[str]] = {}
    for number, row in enumerate(rows, 1):
        name = ", ".join(row[place] for place in places if place < len(row))
        named[name if name and name not in named else f"row {number}"] = row
    return named


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping | list):
        yield path, value
        return
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value, 1):
        yield from _leaves(item, f"{path}.{key}" if path else str(key))


def _two(report: Any, database: Any) -> str:
    said, given = ("nothing" if value in ("", None) else value for value in (report, database))
    return f"{said} in the report, {given} from the database"
