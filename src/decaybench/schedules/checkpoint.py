"""Save a `Rates` as plain data and load it again; saved data is checked completely before any of it is used."""

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from torch import Tensor

from decaybench.schedules.base import Reactive
from decaybench.schedules.domain import Domain
from decaybench.schedules.rates import Rates
from decaybench.schedules.validation import short, whole_number

KEYS: Final = ("kind", "fields", "total_steps", "steps_per_epoch", "step", "observations", "base_lrs", "state")


def pack(rates: Rates) -> dict[str, Any]:
    """Return ``rates`` as numbers, strings, lists, dicts and tensors, which torch.load accepts with weights_only."""
    schedule = rates.schedule
    return {
        "kind": schedule.kind,
        "fields": {name: getattr(schedule, name) for name in schedule.parameters()},
        "total_steps": rates.total_steps,
        "steps_per_epoch": rates.steps_per_epoch,
        "step": rates.step,
        "observations": rates.observations,
        "base_lrs": list(rates.base_lrs),
        "state": {name: values.clone() for name, values in rates.rows()._asdict().items()},
    }


def unpack(rates: Rates, saved: Any) -> Rates:
    """Return ``rates`` with the time, the state and the base learning rates of ``saved`` (from `pack`).

    Raises ValueError with the first mismatch: a missing key, another schedule or run, another number of groups, or a
    value that `pack` never writes. Keys that `pack` does not write are ignored; callers may add their own.
    """
    require(saved, KEYS)
    _same_run(rates, saved)
    bases = _base_lrs(saved["base_lrs"], len(rates.base_lrs))
    begun = Rates.begin(rates.schedule, bases, rates.total_steps, rates.steps_per_epoch)
    remembered = {
        name: tensor_like(f"state.{name}", saved["state"].get(name), fresh)
        for name, fresh in begun.rows()._asdict().items()
    }
    _check_remembered(begun, remembered)
    step = whole_number("state_dict: step", saved["step"], 0)
    observations = whole_number("state_dict: observations", saved["observations"], 0)
    loaded = replace(begun.with_rows(remembered), step=step, observations=observations)
    for i, rate in enumerate(loaded.now()):
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"state_dict: state gives group {i} the learning rate {rate}")
    return loaded


def require(saved: Any, keys: tuple[str, ...]) -> None:
    """Raise ValueError unless ``saved`` is a mapping with all ``keys``."""
    if not isinstance(saved, Mapping):
        raise ValueError(f"state_dict must be what state_dict() returned, got {type(saved).__name__}")
    for key in keys:
        if key not in saved:
            raise ValueError(f"state_dict must be what state_dict() returned: it has no {key!r}")


def tensor_like(name: str, value: Any, expected: Tensor) -> Tensor:
    """Copy ``value`` to the device of ``expected``. Raises ValueError unless its shape and dtype are the same."""
    want = f"a tensor {tuple(expected.shape)} of {expected.dtype}"
    if not isinstance(value, Tensor):
        raise ValueError(f"state_dict: {name} must be {want}, got {short(value)}")
    if value.shape != expected.shape or value.dtype != expected.dtype:
        raise ValueError(f"state_dict: {name} must be {want}, got {tuple(value.shape)} of {value.dtype}")
    return value.detach().to(expected.device, copy=True)


def _same_run(rates: Rates, saved: Mapping[str, Any]) -> None:
    """Raise ValueError for the first setting in which the saved run differs, naming both values."""
    kind, fields = rates.schedule.kind, saved["fields"]
    if saved["kind"] != kind:
        raise ValueError(f"kind must be {kind}, to match this schedule, got {short(saved['kind'])}")
    for name in ("fields", "state"):
        if not isinstance(saved[name], Mapping):
            raise ValueError(f"state_dict: {name} must be a dict, got {short(saved[name])}")
    for name in rates.schedule.parameters():
        mine, theirs = getattr(rates.schedule, name), fields.get(name)
        theirs = tuple(theirs) if isinstance(theirs, list) else theirs
        if type(theirs) not in (int, float, str, bool, tuple, type(None)) or mine != theirs:
            raise ValueError(f"{kind}.{name} must be {mine!r}, to match this schedule, got {short(theirs)}")
    for name in ("total_steps", "steps_per_epoch"):
        mine, theirs = getattr(rates, name), saved[name]
        if whole_number(f"state_dict: {name}", theirs, 1) != mine:
            raise ValueError(f"{name} must be {mine}, to match this scheduler, got {theirs}")


def _check_remembered(begun: Rates, remembered: Mapping[str, Tensor]) -> None:
    """Raise ValueError for a state that no run starting from ``begun`` can have."""
    domains = begun.schedule.domains if isinstance(begun.schedule, Reactive) else {}
    # A field may be non-finite only if it starts non-finite or becomes so after a non-finite loss.
    states = [begun.rows(), *(begun.observed(loss).rows() for loss in (math.nan, math.inf, -math.inf))]
    for name, values in remembered.items():
        if name == "base_lr" and not values.equal(begun.rows().base_lr):
            raise ValueError(f"state_dict: state.base_lr must be that of base_lrs, got {values.tolist()}")
        if name in domains and not Domain.parse(domains[name]).holds(values):
            raise ValueError(f"state_dict: state.{name} must be {Domain.parse(domains[name])}, got {values.tolist()}")
        if not values.isfinite().all() and all(getattr(state, name).isfinite().all() for state in states):
            raise ValueError(f"state_dict: state.{name} must be finite, got {values.tolist()}")


def _base_lrs(value: Any, groups: int) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != groups:
        got = len(value) if isinstance(value, list | tuple) else short(value)
        raise ValueError(f"base_lrs must be one per parameter group ({groups}), got {got}")
    for base in value:
        if type(base) not in (int, float) or not 0 <= base <= sys.float_info.max:
            raise ValueError(f"base_lrs must be finite and at least 0, got {short(base)}")
    if not any(value):
        raise ValueError("base_lrs must have one above 0, got none")
    return [float(base) for base in value]
