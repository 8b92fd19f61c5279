"""The parameters of one run, from a point in an arm's space or from the runs table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from decaybench.errors import UserError
from decaybench.schedules import Range, Schedule
from decaybench.shared import SHARED, Shared
from decaybench.sweep.arms import Arm
from decaybench.sweep.own import counts


@dataclass(frozen=True)
class RunParameters:
    """The parameters with which a run is trained, in native units; ``params`` is the same as JSON-able data."""

    learning_rate: float
    momentum: float
    weight_decay: float
    schedule: Schedule
    params: dict[str, Any]


def resolve(arm: Arm, values: Mapping[str, Any], *, total_steps: int, steps_per_epoch: int) -> RunParameters:
    """The run at a point of the arm's space; ``values`` are in range units, by dimension name.

    Raises ValueError unless there is one value per dimension, and UserError if the kind refuses the result.
    """
    names = [dimension.name for dimension in arm.space]
    if sorted(values) != sorted(names):
        raise ValueError(f"{arm.label} searches {names}, got values for {sorted(values)}")
    kind = arm.schedule_class
    searched: dict[str, tuple[Any, Range]] = {}
    for dimension in arm.space:
        if not dimension.shared:
            name, value = dimension.name.removeprefix(f"{arm.label}."), values[dimension.name]
            if dimension.follows_run:
                value = _in_own_range(kind, name, value, dimension.range, total_steps // steps_per_epoch)
            searched[name] = (value, dimension.range)
    options = {name: value.value for name, value in arm.fixed.items()}
    options |= {name: value for name, (value, _) in searched.items()}
    for name, value in arm.fixed.items():
        native = kind.native_unit(name, options)
        searched[name] = (value.value, Range(unit=value.unit or native, native=native))
    own = {}
    for name, (value, units) in searched.items():
        own[name] = units.to_native(value, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
        if units.unit != units.native and counts(kind, name):
            own[name] = round(own[name])
    try:
        schedule = kind(**own)
    except ValueError as error:
        raise UserError(f"strategies.{arm.label}: {error}") from None
    shared = {parameter.name: _shared(arm, parameter, values) for parameter in SHARED}
    fields = {name: getattr(schedule, name) for name in kind.parameters() if name not in kind.loop_only}
    params = shared | {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}
    return RunParameters(**shared, schedule=schedule, params=params)


def from_params(arm: Arm, params: Mapping[str, Any]) -> RunParameters:
    """The same run again from its row's ``params``: ``from_params(arm, run.params) == run``."""
    fields = {
        name: tuple(params[name]) if isinstance(params[name], list) else params[name]
        for name in arm.schedule_class.parameters()
        if name not in arm.schedule_class.loop_only
    }
    shared = {parameter.name: params[parameter.name] for parameter in SHARED}
    return RunParameters(**shared, schedule=arm.schedule_class(**fields), params=dict(params))


def _in_own_range(kind: type[Schedule], name: str, value: float, whole: Range, epochs: int) -> float:
    """The value at the same place in the kind's range for a run of ``epochs``."""
    own = kind.range_of(name, epochs=epochs)
    if own is None or own == whole or whole.high == whole.low:
        return value
    place = (value - whole.low) / (whole.high - whole.low)
    scaled = own.low + place * (own.high - own.low)
    return round(scaled) if own.int else scaled


def _shared(arm: Arm, parameter: Shared, values: Mapping[str, Any]) -> float:
    given: float | Range = getattr(arm, parameter.name)
    if not isinstance(given, Range):
        return given
    return parameter.to_native(float(values[parameter.dimension]), choice=given.choices is not None)
