"""TOML: a sweep of one strategy with nothing to search, which retrains the configuration."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from decaybench.export.setting import Setting


def write(setting: Setting) -> str:
    """A sweep file whose only strategy is the configuration, in native units."""
    spec = setting.sweep.spec()
    task = dict(spec["task"])
    if setting.sweep.needs_signal and not _needs_signal(setting):
        task["train_size"] = setting.train_examples
        notes = [
            "# The sweep reserved a signal split for another strategy. This file does not: it trains on equally",
            "# many but different examples, so its results will be close to the sweep's, but not equal.",
        ]
    else:
        notes = [
            "# The seed gives the same splits and the same fresh seeds as in the sweep: on the same kind of device,",
            "# retraining gives the sweep's results.",
        ]
    strategy = {"schedule": setting.arm.kind, "optimizer": setting.arm.optimizer, "nesterov": setting.arm.nesterov}
    strategy |= {"velocity": setting.arm.velocity, **_own_average(setting)} | setting.parameters.params
    # One trial, since the configuration is known. A sweep that retrained nothing leaves the number of seeds open.
    budget: dict[str, Any] = {"trials": 1, "repeats": 1, "confirm_seeds": spec["budget"]["confirm_seeds"] or None}
    if setting.length != 1.0:
        budget["lengths"] = [setting.length]
    lines = [
        *setting.head(),
        *notes,
        "",
        *_table(None, {"name": name(setting), "question": f"Can the result of {setting.arm.label} be reproduced?"}),
        *_table("task", task),
        *_table("budget", budget),
        *_table("search", {"seed": setting.sweep.search.seed}),
        *_table(f"strategies.{setting.arm.label}", strategy),
    ]
    return "\n".join(lines[:-1]) + "\n"


def name(setting: Setting) -> str:
    """The new sweep's name, SWEEP-STRATEGY, cut to the 64 characters that a name may have."""
    full = f"{setting.sweep.name}-{setting.arm.label}"
    return full if len(full) <= 64 else f"{full[:55]}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def _own_average(setting: Setting) -> Mapping[str, Any]:
    """The strategy's key ``average``, if its table has one."""
    own = setting.sweep.strategies[setting.arm.label].average
    return {} if own is None else {"average": own.table()}


def _needs_signal(setting: Setting) -> bool:
    return bool(getattr(setting.schedule, "held_out", False))


def _table(header: str | None, values: Mapping[str, Any]) -> list[str]:
    lines = [f"{key} = {_value(value)}" for key, value in values.items() if value is not None]
    return [*([f"[{header}]"] if header else []), *lines, ""]


def _value(value: Any) -> str:
    """A value as TOML spells it. Numbers are Python's repr, which TOML reads back exactly."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_value(item)}' for key, item in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)
