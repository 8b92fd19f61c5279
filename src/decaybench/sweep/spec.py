"""A sweep's canonical form, compared with the one in the database: the same, extended, or a different sweep."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from decaybench.errors import UserError
from decaybench.sweep.values import show

EXTENDABLE = ("trials", "repeats", "confirm_seeds")
_ABSENT = object()


def spec_hash(spec: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of what must not change under a name in use: all but ``question`` and EXTENDABLE."""
    fixed = {key: value for key, value in spec.items() if key != "question"}
    fixed["budget"] = {key: value for key, value in spec["budget"].items() if key not in EXTENDABLE}
    fixed["strategies"] = list(spec["strategies"].items())  # their order matters; that of keys does not
    text = json.dumps(_plain(fixed), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def extends(old_spec: Mapping[str, Any], new_spec: Mapping[str, Any]) -> None:
    """Check that the file's spec extends the database's: more runs and a reworded question are allowed.

    Raises UserError with the first other difference: ``NAME: task.epochs: 10 in the database, 12 in the file``.
    """
    name = old_spec["name"]
    for key in EXTENDABLE:
        old, new = old_spec["budget"][key], new_spec["budget"][key]
        if new < old:
            difference = f"{old} in the database, {new} in the file"
            raise UserError(f"{name}: budget.{key}: {difference}; it can be raised but not lowered")
    allowed = {("question",), *(("budget", key) for key in EXTENDABLE)}
    for path, old, new in _differences(old_spec, new_spec):
        if path not in allowed:
            key = ".".join(path)
            raise UserError(
                f"{name}: {key}: {_shown(old)} in the database, {_shown(new)} in the file; "
                f"only question, {', '.join(EXTENDABLE)} may change: another question needs another name"
            )


def _differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if _plain(old) != _plain(new) or isinstance(old, bool) != isinstance(new, bool):
            yield path, old, new
        return
    if path == ("strategies",) and list(old) != list(new):
        yield path, list(old), list(new)
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))


def _plain(value: Any) -> Any:
    """One form for equal values: 1.0 becomes 1, and a tuple becomes a list."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else show(value)
