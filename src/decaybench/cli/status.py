"""``decaybench status``: the sweeps in the database and the progress of each strategy."""

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from decaybench import store
from decaybench.cli.console import wide_console
from decaybench.store import Storage


def show(name: str | None, *, storage: str | None, as_json: bool) -> None:
    """Print one line per sweep, or, for one sweep, one line per strategy and phase."""
    with store.open_storage(store.storage_url(storage), create=False) as opened:
        names = store.sweep_names(opened) if name is None else [name]
        sweeps = [_describe(opened, each) for each in names]
    if as_json:
        print(json.dumps(sweeps if name is None else sweeps[0], indent=2))
        return
    console = wide_console()
    if name is None:
        table = _table("sweep", "status", "search", "confirm", "replay", "diverged", "question")
        for sweep in sweeps:
            table.add_row(
                Text(sweep["name"]),
                sweep["status"],
                *(
                    _done(row for row in sweep["strategies"] if row["phase"] == phase)
                    for phase in ("search", "confirm", "replay")
                ),
                str(sum(row["diverged"] for row in sweep["strategies"]) or ""),
                Text(sweep["question"]),
            )
    else:
        shared = "; all strategies share the trials: a search, not a comparison" if sweeps[0]["shares_slots"] else ""
        console.print(Text(f"{name}: {sweeps[0]['status']}{shared}"))
        table = _table("strategy", "phase", "done", "diverged", "failed", "pending")
        for row in sweeps[0]["strategies"]:
            cells = (str(row[key] or "") for key in ("diverged", "failed", "pending"))
            table.add_row(Text(row["strategy"]), row["phase"], _done([row]), *cells)
    console.print(table)


def _describe(opened: Storage, name: str) -> dict[str, Any]:
    progress = store.progress(opened, name)  # raises UserError if there is no such sweep
    row = store.sweep_row(opened, name)
    assert row is not None
    order = {label: place for place, label in enumerate(row["spec"]["strategies"])}
    parts = sorted(progress, key=lambda part: order[part.strategy])
    return {
        "name": name,
        "status": row["status"],
        "question": row["question"],
        "shares_slots": row["spec"]["search"]["allocation"] == "adaptive",
        "strategies": [vars(part) for part in parts],
    }


def _done(rows: Iterable[dict[str, Any]]) -> str:
    listed = list(rows)
    done = sum(row["finished"] + row["diverged"] for row in listed)
    return f"{done}/{sum(row['planned'] for row in listed)}" if listed else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
