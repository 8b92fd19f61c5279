"""Warmups that are longer than the run: legal, but hardly intended, since the base learning rate is never reached."""

from typing import Final

from decaybench.schedules import Range, convert
from decaybench.schedules.ranges import TIME_UNITS
from decaybench.sweep.arms import Arm, arms
from decaybench.sweep.model import Sweep

MOST: Final = 2.0**53  # updates; converting a larger number could overflow


def long_warmups(sweep: Sweep, steps_per_epoch: int) -> tuple[str, ...]:
    """One line per strategy and length whose warmup, or part of whose warmup's range, is longer than the run."""
    lines = []
    for arm in arms(sweep):
        for name in arm.schedule_class.parameters():
            if (given := _given(arm, name)) is None:
                continue
            for length in sweep.budget.lengths:
                total = sweep.epochs(length) * steps_per_epoch
                ends = [
                    round(
                        min(
                            convert(end, given.unit, "update", total_steps=total, steps_per_epoch=steps_per_epoch), MOST
                        )
                    )
                    for end in given.choices or (given.low, given.high)
                ]
                least, most = min(ends), max(ends)
                if most <= total:
                    continue
                at = f" of length {length:g}" if len(sweep.budget.lengths) > 1 else ""
                given_as, ending = f"{most:,} updates", "the warmup does not end"
                if least < most:
                    given_as = f"{least:,} to {most:,} updates are searched"
                    ending = "a longer warmup does not end" if least <= total else "none of these warmups ends"
                but = f"but a run{at} has {total:,}: {ending} before the run does"
                lines.append(f"strategies.{arm.label}.{name}: {given_as}, {but}")
    return tuple(lines)


def _given(arm: Arm, name: str) -> Range | None:
    """The warmups that a strategy may have; None for a field that is not a warmup, or that has its default."""
    native = arm.schedule_class.native_unit(name, {})
    if not name.startswith("warmup") or native not in TIME_UNITS:
        return None
    if name in arm.fixed:
        value = arm.fixed[name]
        return Range(choices=(value.value,), unit=value.unit or native, native=native)
    return next((dimension.range for dimension in arm.space if dimension.name == f"{arm.label}.{name}"), None)
