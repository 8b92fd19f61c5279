"""The results as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

NOT_SHOWN = ("section", "output")


def page(rows: Sequence[dict[str, Any]], *, gpu: bool, quick: bool) -> str:
    """A heading and a table for each section, below a line that says whether this was measured on a GPU."""
    head = [f"{datetime.now(UTC).date()}."]
    if not gpu:
        head.append("**This is no measurement of a GPU**: it ran on a CPU.")
    if quick:
        head.append("Sizes were tiny, so times mean nothing.")
    parts = [" ".join(head)]
    for title, of_section in groupby(rows, key=lambda row: row["section"]):
        parts.append(f"### {title}\n\n{table(list(of_section))}")
    return "\n\n".join(parts) + "\n"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line per row; a column for every name that a row has, in the order in which they first occur."""
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in NOT_SHOWN))
    rule = ["--:" if all(isinstance(row.get(name, 0), int | float) for row in rows) else ":--" for name in columns]
    lines = [[_cell(row.get(name, "")) for name in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in (columns, rule, *lines))


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    return " ".join(str(value).split()).replace("|", "/")[:200]
