"""``decaybench status``: the sweeps in the database; of one, the progress and the evidence of each strategy.

Only the evidence needs the sweep itself, and so torch: the list of sweeps loads nothing heavy.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from decaybench import store
from decaybench.cli.console import PHASES, wide_console
from decaybench.store import Storage

if TYPE_CHECKING:
    from decaybench.findings import Summary


def show(name: str | None, *, storage: str | None, as_json: bool) -> None:
    """Print one line per sweep, or, for one sweep, one line per strategy and phase, and where it stands."""
    with store.open_storage(store.storage_url(storage), create=False) as opened:
        if name is not None:
            _show_one(opened, name, as_json=as_json)
            return
        sweeps = [_describe(opened, each) for each in store.sweep_names(opened)]
    if as_json:
        print(json.dumps(sweeps, indent=2))
        return
    table = _table("sweep", "status", *PHASES.values(), "diverged", "question")
    for sweep in sweeps:
        table.add_row(
            Text(sweep["name"]),
            sweep["status"],
            *(_done(row for row in sweep["strategies"] if row["phase"] == phase) for phase in PHASES),
            str(sum(row["diverged"] for row in sweep["strategies"]) or ""),
            Text(sweep["question"]),
        )
    wide_console().print(table)


def _show_one(opened: Storage, name: str, *, as_json: bool) -> None:
    sweep, shown, workers = _describe(opened, name), _evidence(opened, name), _workers(opened, name)
    if as_json:
        from decaybench.findings.decision import decision

        print(json.dumps(sweep | {"decision": decision(shown), "workers": workers}, indent=2))
        return
    from decaybench.cli import evidence

    console = wide_console()
    console.print(Text(f"{name}: {sweep['status']}"))
    table = _table("strategy", "phase", "done", "diverged", "failed", "pending")
    for row in sweep["strategies"]:
        cells = (str(row[key] or "") for key in ("diverged", "failed", "pending"))
        table.add_row(Text(row["strategy"]), PHASES[row["phase"]], _done([row]), *cells)
    console.print(table)
    if workers:
        table = _table("worker", "device", "trains")
        for worker in workers:
            stacks = ", ".join(f"stack {stack}" for stack in worker["stacks"])
            refused = f"nothing: {worker['refused']}" if worker["refused"] else ""
            table.add_row(Text(worker["name"]), worker["device"], Text(refused or stacks))
        console.print("", table, sep="\n")
    console.print("", Text(evidence.headline(shown)), sep="\n")
    if not shown.adaptive:
        console.print(evidence.table(shown))


def _workers(opened: Storage, name: str) -> list[dict[str, Any]]:
    """The workers that are there: the stacks of this sweep that each trains, or why it does not train this sweep."""
    stacks = store.training(opened, store.sweep_id(name))
    return [
        {
            "name": worker.name,
            "device": worker.device,
            "versions": worker.versions,
            "stacks": stacks.get(worker.name, []),
            "refused": worker.refused.get(name),
        }
        for worker in store.present(opened)
    ]


def _evidence(opened: Storage, name: str) -> "Summary":
    """Where the sweep stands at its last look. Reads neither curves nor traces, and loads torch."""
    from decaybench.findings.plan import summary_at

    row = store.sweep_row(opened, name)
    assert row is not None
    return summary_at(row, store.runs(opened, name), store.looks(opened, name))


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
