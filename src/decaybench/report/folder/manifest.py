"""manifest.json: what a report was made from, which versions made it, and the hashes of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaybench.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from decaybench.store import Frames, LookRow

MANIFEST = "manifest.json"
WRITERS = ("decaybench", "matplotlib", "numpy", "optuna", "scipy")
"""The packages whose versions affect a report's bytes."""


def source(frames: Frames, study: str | None = None, looks: Sequence[LookRow] = ()) -> dict[str, Any]:
    """The manifest's entry of a sweep: its name, spec hash and provenance, and the SHA-256 of its database tables.

    ``study`` is the hash of its Optuna study, from `search.read_study`; None if it has no study.
    """
    sweep = frames.sweep
    return {
        "name": sweep["name"],
        "spec_hash": sweep["spec_hash"],
        "provenance": sweep["provenance"] or {},
        "database": {
            "sweep": _sweep(sweep),
            "runs": _table(frames.runs),
            "epochs": _table(frames.epochs),
            "traces": _traces(frames.traces),
            **({"looks": sha256(json.dumps([vars(look) for look in looks]))} if looks else {}),
            "study": study,
        },
    }


def versions() -> dict[str, str]:
    """The installed versions of WRITERS."""
    return {name: metadata.version(name) for name in WRITERS}


def manifest_text(sources: Sequence[Mapping[str, Any]], files: Mapping[str, str], written_by: Mapping[str, str]) -> str:
    """The manifest of a report of these sweeps; ``files`` are its texts by name."""
    content = {
        "files": {name: sha256(text) for name, text in files.items()},
        "sweeps": list(sources),
        "written_by": written_by,
    }
    return json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the report in ``folder``; UserError if there is no report."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{folder}: must hold a report: {MANIFEST} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: must be a report's manifest, but is not JSON: {error}") from error
    try:
        names = [sweep["name"] for sweep in found["sweeps"]]
        known = bool(names) and all(isinstance(found[key], dict) for key in ("files", "written_by"))
    except (LookupError, TypeError):
        known = False
    if not known:
        raise UserError(f"{path}: must hold files, sweeps and written_by; decaybench report NAME writes it again")
    report: dict[str, Any] = found
    return report


def sha256(content: str | bytes) -> str:
    """The SHA-256 in hex; a text is encoded as UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _sweep(row: Mapping[str, Any]) -> str:
    # Without its status: a run with nothing to train also sets it, and may be killed just then.
    kept = {column: value for column, value in row.items() if column != "status"}
    return sha256(json.dumps(kept, ensure_ascii=False, default=lambda moment: moment.isoformat()))


def _table(frame: pd.DataFrame) -> str:
    columns = [(name, frame[name].to_numpy()) for name in frame.columns]
    return sha256(b"".join(f"{name}\n".encode() + _bytes(values) for name, values in columns))


def _traces(traces: Mapping[str, NDArray[np.float32]]) -> str:
    return sha256(b"".join(f"{run} {len(rates)}\n".encode() + _bytes(rates) for run, rates in sorted(traces.items())))


def _bytes(values: NDArray[Any]) -> bytes:
    """Numbers as little-endian on every machine; texts one per line."""
    if values.dtype.kind not in "fi":
        return "".join(f"{value}\n" for value in values).encode()
    return values.astype(values.dtype.newbyteorder("<")).tobytes()
