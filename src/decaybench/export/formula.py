"""The fixed schedules as formulas in plain text, for ``math`` and for ``keras.ops`` alike.

A formula is an expression in ``t`` (updates made) or ``e`` (epoch), both from 0; ``T`` is the number of updates that
the schedule spans: warmup comes off it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from decaybench.export.setting import Setting, literal


@dataclass(frozen=True)
class Spelling:
    """How a language writes what the formulas need; ``where`` takes condition, value and other value."""

    floor: str
    cos: str
    least: str
    greatest: str
    epoch: str
    where: str


PYTHON: Final = Spelling("math.floor", "math.cos", "min", "max", "t // {n}", "({yes} if {test} else {no})")
KERAS: Final = Spelling(
    "ops.floor", "ops.cos", "ops.minimum", "ops.maximum", "ops.floor(t / {n})", "ops.where({test}, {yes}, {no})"
)

Formula = Callable[[Any, int, Spelling], str]


def _constant(s: Any, T: int, say: Spelling) -> str:
    return "1.0"


def _time_based(s: Any, T: int, say: Spelling) -> str:
    return f"1 / (1 + {literal(s.decay)} * {'t' if s.per == 'update' else 'e'})"


def _inverse_time(s: Any, T: int, say: Spelling) -> str:
    return f"1 / (1 + {literal(s.decay_rate)} * {_stairs(s, say)})"


def _step_decay(s: Any, T: int, say: Spelling) -> str:
    epochs = f"(e + {s.offset})" if s.offset else "e"
    return f"{literal(s.drop)} ** {say.floor}({epochs} / {literal(s.epochs_drop)})"


def _multi_step(s: Any, T: int, say: Spelling) -> str:
    factors = (
        say.where.format(test=f"e >= {literal(time)}", yes=literal(gamma), no="1.0") for time, gamma in milestones(s)
    )
    return " * ".join(factors)


def _exponential(s: Any, T: int, say: Spelling) -> str:
    return f"{literal(s.decay_rate)} ** {_stairs(s, say)}"


def _polynomial(s: Any, T: int, say: Spelling) -> str:
    falling = f"(1 - t / {T}) ** {literal(s.power)}"
    return f"{literal(1 - s.end)} * {falling} + {literal(s.end)}" if s.end else falling


def _linear(s: Any, T: int, say: Spelling) -> str:
    return f"1 - {literal(1 - s.end)} * t / {T}"


def _cosine(s: Any, T: int, say: Spelling) -> str:
    falling = f"(1 + {say.cos}(math.pi * t / {T})) / 2"
    return f"{literal(s.floor)} + {literal(1 - s.floor)} * {falling}" if s.floor else falling


FORMULAS: Final[Mapping[str, Formula]] = MappingProxyType(
    {
        "constant": _constant,
        "time_based": _time_based,
        "inverse_time": _inverse_time,
        "step_decay": _step_decay,
        "multi_step": _multi_step,
        "exponential": _exponential,
        "polynomial": _polynomial,
        "linear": _linear,
        "cosine": _cosine,
    }
)


def milestones(s: Any) -> list[tuple[float, float]]:
    """A multi_step's (milestone in epochs, factor) pairs."""
    times, gammas = (v if isinstance(v, tuple) else (v,) for v in (s.milestones, s.gamma))
    return list(zip(times, gammas if len(gammas) > 1 else gammas * len(times), strict=True))


def body(setting: Setting, say: Spelling, time: str = "t") -> list[str]:
    """Statements that end in ``return`` of the scale at update ``time``, from 0; past the end it holds."""
    span = max(1, setting.total_steps - setting.warmup)
    formula = FORMULAS[setting.arm.kind](setting.schedule, span, say)
    lines = [f"t = {say.least}({time}, {setting.total_steps})  # past the last update it holds its end"]
    if setting.warmup:
        lines += [
            f"ramp = {ramp(setting, say)}  # {setting.warmup} updates of warmup",
            f"t = {say.greatest}(t - {setting.warmup}, 0)",
        ]
    if re.search(r"\be\b", formula):
        lines.append(f"e = {say.epoch.format(n=setting.steps_per_epoch)}  # epoch, from 0")
    return [*lines, f"return {f'ramp * ({formula})' if setting.warmup else formula}"]


def ramp(setting: Setting, say: Spelling, time: str = "t") -> str:
    """Warmup's factor at update ``time``, from 0, as an expression: 1.0 where there is none."""
    if not setting.warmup:
        return "1.0"
    t = f"({time} + 1)" if setting.schedule.warmup_start else time
    return f"{say.least}(1.0, {t} / {setting.warmup})"


def _stairs(s: Any, say: Spelling) -> str:
    steps = literal(s.decay_steps)
    return f"{say.floor}(t / {steps})" if s.staircase else f"(t / {steps})"
