"""What was asked for and where it ran, as the report shows it: a sweep's stored file and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from decaybench.findings.sweep import Sweep

_SHARED: Final = ("learning_rate", "momentum", "weight_decay")


class Setup(NamedTuple):
    """The tables of the sweep file, as it was stored, its hash and its provenance."""

    task: Mapping[str, Any]
    budget: Mapping[str, Any]
    search: Mapping[str, Any]
    strategies: Mapping[str, Mapping[str, Any]]
    spec_hash: str
    provenance: Mapping[str, Any]


def setup(sweep: Sweep) -> Setup:
    """Of several sweeps, what they share, and by sweep or by strategy what they do not."""
    if not sweep.joined:
        (part,) = sweep.parts
        spec = part.spec
        return Setup(spec["task"], spec["budget"], spec["search"], spec["strategies"], part.spec_hash, part.provenance)
    specs = [part.file.spec() for part in sweep.parts]
    task, budget, search = (specs[0][table] for table in ("task", "budget", "search"))
    same = [key for key in _SHARED if len({_text(spec["search"].get(key)) for spec in specs}) == 1]
    strategies: dict[str, Any] = {}
    for part, spec in zip(sweep.parts, specs, strict=True):
        # What sweeps do not share is said of every strategy that it holds for.
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


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
