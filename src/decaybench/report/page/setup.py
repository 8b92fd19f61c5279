"""What the report shows of the setup: the sweep's file, as stored, and its provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from decaybench.findings.sweep import Sweep
from decaybench.report.words.tables import Table
from decaybench.shared import SHARED

if TYPE_CHECKING:
    from decaybench.schedules import Range

_SHARED: Final = tuple(shared.name for shared in SHARED)


class Setup(NamedTuple):
    """The tables of the sweep file, as it was stored, its hash and its provenance."""

    task: Mapping[str, Any]
    budget: Mapping[str, Any]
    search: Mapping[str, Any]
    strategies: Mapping[str, Mapping[str, Any]]
    spec_hash: str
    provenance: Mapping[str, Any]


def setup(sweep: Sweep) -> Setup:
    """For several sweeps: what they share, and per sweep or strategy what they do not."""
    if not sweep.joined:
        (part,) = sweep.parts
        spec = part.spec
        return Setup(spec["task"], spec["budget"], spec["search"], spec["strategies"], part.spec_hash, part.provenance)
    specs = [part.file.spec() for part in sweep.parts]
    task, budget, search = (specs[0][table] for table in ("task", "budget", "search"))
    same = [key for key in _SHARED if len({_json(spec["search"].get(key)) for spec in specs}) == 1]
    strategies: dict[str, Any] = {}
    for part, spec in zip(sweep.parts, specs, strict=True):
        # What the sweeps do not share is given for every strategy to which it applies.
        given = {key: spec["search"][key] for key in _SHARED if key not in same and key in spec["search"]}
        strategies |= {part.labels[label]: {**given, **entry} for label, entry in spec["strategies"].items()}

    def by_sweep(values: Sequence[Any]) -> Any:
        names = [part.name for part in sweep.parts]
        return values[0] if len(set(map(_text, values))) == 1 else dict(zip(names, values, strict=True))

    known = dict.fromkeys(key for part in sweep.parts for key in part.provenance)
    return Setup(
        task,
        budget | {"trials": by_sweep([spec["budget"]["trials"] for spec in specs])},
        {key: value for key, value in search.items() if key in same or key not in _SHARED},
        strategies,
        ", ".join(f"{part.name} {part.spec_hash}" for part in sweep.parts),
        {key: by_sweep([part.provenance.get(key) for part in sweep.parts]) for key in known},
    )


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def space_table(shown: Setup) -> Table:
    """What is searched or set for each strategy: its own entries, then the default ranges of its kind."""
    from decaybench.schedules import SCHEDULES
    from decaybench.sweep.arms import LEARNING_RATE

    epochs = shown.task["epochs"]
    rows = []
    for label, entry in shown.strategies.items():
        kind = SCHEDULES[entry["schedule"]]
        parts = [f"{key} = {_text(value)}" for key, value in entry.items() if key != "schedule"]
        defaults = {name: kind.range_of(name, epochs=epochs) for name in kind.parameters() if name not in entry}
        if "learning_rate" not in entry and shown.search.get("learning_rate") is None:
            defaults["learning_rate"] = kind.learning_rate or LEARNING_RATE
        parts += [f"{key} = {_range(found)}" for key, found in defaults.items() if found is not None]
        rows.append((label, entry["schedule"], "; ".join(parts) or "only what all strategies share"))
    header = ("strategy", "schedule", "parameters set or searched")
    return Table("Search space of each strategy", header, tuple(rows), text=(0, 1, 2))


def _range(found: Range) -> str:
    """A kind's default range, in the words of the sweep file."""
    if found.choices is not None:
        return _text({"choices": found.choices})
    unit = None if found.unit == "1" else found.unit
    text = _text({"low": found.low, "high": found.high, "unit": unit, "log": found.log, "int": found.int})
    many = "" if found.count is None else f"{found.count[0]} to {found.count[1]} of "
    return ("0, or " if found.zero_or else many) + text


def settings(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys and values, in the words of the sweep file; a None is left out."""
    return tuple((key, _text(value)) for key, value in values.items() if value is not None)


def _text(value: Any) -> str:
    """A setting in the words of the sweep file."""
    if isinstance(value, Mapping) and {"low", "high"} <= value.keys():
        extras = [str(value["unit"])] if value.get("unit") else []
        extras += [name for name in ("log", "int") if value.get(name)]
        return f"{_text(value['low'])} to {_text(value['high'])}" + (f" ({', '.join(extras)})" if extras else "")
    if isinstance(value, Mapping) and value.keys() == {"from", "to"}:
        ends = dict.fromkeys(_text(end) for end in (value["from"], value["to"]))
        return " to ".join(ends)
    if isinstance(value, Mapping) and "value" in value:
        return f"{_text(value['value'])} {value.get('unit') or ''}".rstrip()
    if isinstance(value, Mapping) and "choices" in value:
        return f"one of {', '.join(_text(choice) for choice in value['choices'])}"
    if isinstance(value, Mapping) and value.keys() in ({"ema"}, {"last"}):
        return f"{{ {', '.join(f'{key} = {_text(number)}' for key, number in value.items())} }}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(item, int | float | str) for item in value):
        return ", ".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
