"""A sweep's canonical form, compared with the one in the database: the same, extended, or a different sweep."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from decaybench.errors import UserError
from decaybench.sweep.budget import LEAST_REPEATS
from decaybench.sweep.values import show

CHANGEABLE: Final = (
    ("question",),
    ("budget", "trials"),
    ("budget", "repeats", "to"),
    ("budget", "confirm_seeds"),
    ("decide", "until"),
    ("task", "rope"),
)
"""What may change under a name in use; `rerun` of the runner says until when."""
RAISED: Final = (("budget", "trials"), ("budget", "confirm_seeds"))
"""What of these may be raised, but not lowered."""
_ABSENT = object()


def spec_hash(spec: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of what must not change under a name in use: all but CHANGEABLE."""
    fixed = _without(spec, CHANGEABLE)
    fixed["strategies"] = list(spec["strategies"].items())  # their order matters; that of keys does not
    text = json.dumps(_plain(fixed), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def require_current(spec: Mapping[str, Any]) -> None:
    """UserError for a sweep of a version that judged its results by other rules, with other runs."""
    if not isinstance(spec["budget"]["repeats"], Mapping):
        raise UserError(
            f"sweep {spec['name']}: was run by an older decaybench, whose trials have no test results; "
            "run it again under another name"
        )


def extends(old_spec: Mapping[str, Any], new_spec: Mapping[str, Any]) -> None:
    """Check that the file's spec differs from the database's in nothing but CHANGEABLE.

    Raises UserError with the first other difference: ``NAME: task.epochs: 10 in the database, 12 in the file``.
    """
    name = old_spec["name"]
    for table, key in RAISED:
        old, new = old_spec[table][key], new_spec[table][key]
        if new < old:
            difference = f"{old} in the database, {new} in the file"
            raise UserError(f"{name}: {table}.{key}: {difference}; it can be raised but not lowered")
    adaptive = old_spec["search"]["allocation"] == "adaptive" == new_spec["search"]["allocation"]
    for path, old, new in _differences(old_spec, new_spec):
        if path == ("budget", "repeats", "from"):
            given = f"{old} in the database, {new} in the file"
            if adaptive:
                fixed = "an adaptive sweep keeps its number of repeats: another number needs another name"
                raise UserError(f"{name}: budget.repeats: {given}; {fixed}")
            if LEAST_REPEATS <= old < (to := new_spec["budget"]["repeats"]["to"]):
                instead = f"repeats = {{ from = {old}, to = {to} }}"
                raise UserError(f"{name}: budget.repeats.from: {given}; write {instead}")
        if path not in CHANGEABLE:
            raise UserError(
                f"{name}: {'.'.join(path)}: {_shown(old)} in the database, {_shown(new)} in the file; "
                f"only {', '.join('.'.join(key) for key in CHANGEABLE)} may change: another question needs another name"
            )


def _without(spec: Mapping[str, Any], paths: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """A copy without the keys at these paths."""
    here = {path[0] for path in paths if len(path) == 1}
    kept = {key: value for key, value in spec.items() if key not in here}
    for table in {path[0] for path in paths if len(path) > 1} & set(kept):
        kept[table] = _without(kept[table], [path[1:] for path in paths if path[0] == table])
    return kept


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
