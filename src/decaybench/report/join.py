"""Sweeps of one task as one: the tables of all, where runs of the one may be compared with runs of the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from decaybench.errors import UserError

if TYPE_CHECKING:
    from decaybench.store.read import Frames

# What paired runs have in common: with another seed, other images or other splits slot i is another slot.
_PROVENANCE: Final = ("data_sha256", "splits_sha256", "device", "steps_per_epoch", "chance_accuracy", "chance_loss")
_BUDGET: Final = ("repeats", "confirm_seeds", "lengths")
_SEARCH: Final = ("sampler", "seed", "prune")
_SHARED: Final = ("learning_rate", "momentum", "weight_decay")


def join(sweeps: Sequence[Frames]) -> Frames:
    """The tables of several sweeps as those of one, NAME+NAME; of a single one they are its own.

    A label that several sweeps have is NAME.LABEL here; the strategies stand in the order of the sweeps. ``trials``,
    shared search ranges, question and provenance may differ. Raises UserError, with sweep, key, rule and both values,
    where something else does.
    """
    if len(sweeps) == 1:
        return sweeps[0]
    import pandas as pd

    rows = [_complete(frames.sweep) for frames in sweeps]
    if twice := [name for name, times in Counter(row["name"] for row in rows).items() if times > 1]:
        raise UserError(f"report: a sweep is joined with others, never with itself, got {twice[0]} twice")
    for row in rows:
        _require_joinable(rows[0], row)
    labels = _labels(rows)
    runs = [
        frames.runs.assign(strategy=frames.runs["strategy"].map(own).astype(frames.runs["strategy"].dtype))
        for frames, own in zip(sweeps, labels, strict=True)
    ]
    return sweeps[0]._replace(
        sweep=_row(rows, labels),
        runs=pd.concat(runs, ignore_index=True),
        epochs=pd.concat([frames.epochs for frames in sweeps], ignore_index=True),
        traces={run: rates for frames in sweeps for run, rates in frames.traces.items()},
    )


def _complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with all that its spec leaves to a default: a key may be newer than the database."""
    from decaybench.sweep import Sweep

    return {**row, "spec": Sweep.from_mapping(row["spec"], f"sweep {row['name']}").spec()}


def _require_joinable(first: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """UserError unless the runs of both may be paired."""
    name, spec, known = row["name"], row["spec"], first["spec"]
    if (allocation := spec["search"]["allocation"]) != "balanced":
        raise UserError(f"sweep {name}: search.allocation: must be 'balanced' to be joined, got {allocation!r}")
    search = (*_SEARCH, "batch") if known["search"]["sampler"] == "tpe" else _SEARCH
    tables: list[tuple[str, Mapping[str, Any], Mapping[str, Any], Sequence[str]]] = [
        ("task.", known["task"], spec["task"], sorted({*known["task"], *spec["task"]})),
        ("budget.", known["budget"], spec["budget"], _BUDGET),
        ("search.", known["search"], spec["search"], search),
        ("", first["provenance"], row["provenance"], _PROVENANCE),
    ]
    for table, theirs, ours, keys in tables:
        for key in keys:
            if theirs.get(key) != ours.get(key):
                raise UserError(
                    f"sweep {name}: {table}{key}: must be that of {first['name']}, {theirs.get(key)!r},"
                    f" to be joined with it, got {ours.get(key)!r}"
                )


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What each sweep's labels are called; a label has no dot, so a longer name is nobody else's."""
    times = Counter(label for row in rows for label in row["spec"]["strategies"])
    return [
        {label: label if times[label] == 1 else f"{row['name']}.{label}" for label in row["spec"]["strategies"]}
        for row in rows
    ]


def _row(rows: Sequence[Mapping[str, Any]], labels: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The sweeps row of all of them; ``joined`` lists the labels that each brings."""
    first, names = rows[0], [row["name"] for row in rows]
    specs = [row["spec"] for row in rows]
    same = [key for key in _SHARED if len({_text(spec["search"].get(key)) for spec in specs}) == 1]
    strategies: dict[str, Any] = {}
    for spec, own in zip(specs, labels, strict=True):
        # What sweeps do not share is said of every strategy that it holds for.
        given = {key: spec["search"][key] for key in _SHARED if key not in same and key in spec["search"]}
        strategies |= {own[label]: {**given, **entry} for label, entry in spec["strategies"].items()}

    def by_sweep(values: Sequence[Any]) -> Any:
        return values[0] if len(set(map(_text, values))) == 1 else dict(zip(names, values, strict=True))

    name = "+".join(names)
    question = " / ".join(dict.fromkeys(row["question"] for row in rows if row["question"]))
    provenance = dict.fromkeys(key for row in rows for key in row["provenance"])
    return {
        **first,
        "id": name,
        "name": name,
        "question": question,
        "spec": {
            "name": name,
            "question": question,
            "task": first["spec"]["task"],
            "budget": first["spec"]["budget"] | {"trials": by_sweep([spec["budget"]["trials"] for spec in specs])},
            "search": {k: v for k, v in first["spec"]["search"].items() if k in same or k not in _SHARED},
            "strategies": strategies,
        },
        "spec_hash": ", ".join(f"{row['name']} {row['spec_hash']}" for row in rows),
        "status": "complete" if all(row["status"] == "complete" for row in rows) else "running",
        "created_at": max(row["created_at"] for row in rows),
        "provenance": {key: by_sweep([row["provenance"].get(key) for row in rows]) for key in provenance},
        "joined": {row["name"]: list(own.values()) for row, own in zip(rows, labels, strict=True)},
    }


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
