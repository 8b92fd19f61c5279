"""The fixed schedules as formulas in Python text, either with ``math`` or with ``keras.ops``.

A formula is an expression in ``t`` (updates made) or ``e`` (epoch), both counted from 0. ``T`` is the number of updates
that the schedule spans, without warmup.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from decaybench.export.setting import Setting, literal, whole


@dataclass(frozen=True)
class Spelling:
    """How each operation in the formulas is written; ``where`` is formatted with ``test``, ``yes`` and ``no``."""

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

Formula = Callable[[Any, int, Spelling], str]  # lines: intermediate steps, then the scale


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


def _inv(s: Any, T: int, say: Spelling) -> str:
    return f"(1 + {literal(s.gamma)} * t) ** -{literal(s.power)}"


def _inverse_sqrt(s: Any, T: int, say: Spelling) -> str:
    timescale = literal(float(s.timescale))
    return f"({timescale} / {say.greatest}(t, {timescale})) ** 0.5"


def _noam(s: Any, T: int, say: Spelling) -> str:
    time = f"(t + 1) / {literal(s.warmup_steps)}"
    return f"{say.least}(({time}) ** -0.5, {time})"


def _rex(s: Any, T: int, say: Spelling) -> str:
    return f"(1 - t / {T}) / (0.5 + 0.5 * (1 - t / {T}))"


def _wsd(s: Any, T: int, say: Spelling) -> str:
    left = f"{say.least}(({T} - t) / {literal(s.decay_fraction * T)}, 1.0)"
    return left if s.shape == "linear" else f"1 - (1 - {left}) ** 0.5"


def _cosine_restarts(s: Any, T: int, say: Spelling) -> str:
    if s.cycles == 1:
        return _cosine(s, T, say)
    cycles = int(s.cycles)
    if s.mult == 1:
        steps = [
            f"i = {say.least}({say.floor}({cycles} * t / {T}), {cycles - 1})  # completed cycles",
            f"x = {cycles} * t / {T} - i",
        ]
    else:
        restarts, (first, mult) = restart_times(s, T), (literal(first_cycle(s, T)), literal(float(s.mult)))
        steps = [
            f"i = sum({say.where.format(test='t >= restart', yes='1.0', no='0.0')} for restart in {restarts})",
            f"x = (t / {first} - ({mult} ** i - 1) / {literal(s.mult - 1.0)}) / {mult} ** i",
        ]
    falling = f"(1 + {say.cos}(math.pi * x)) / 2"
    if s.decay != 1:
        falling = f"{literal(s.decay)} ** i * {falling}"
    scale = f"{literal(s.floor)} + {literal(1 - s.floor)} * {falling}" if s.floor else falling
    return "\n".join([*steps, scale])


def _one_cycle(s: Any, T: int, say: Spelling) -> str:
    low, end = 1 / s.div, 1 / (s.div * s.final_div)
    down = (s.pct_down or 2 * s.pct) if s.phases == 3 else 1.0
    points = [(0.0, low), (s.pct * T, 1.0), (down * T, end if s.phases == 2 else low)]
    points += [(float(T), end)] if down < 1 else []
    steps, scale = [], literal(points[-1][1])
    for name, (begin, high), (stop, lower) in zip(("up", "down", "out"), points, points[1:], strict=False):
        over = f"{say.least}({f'(t - {literal(begin)})' if begin else 't'} / {literal(stop - begin)}, 1.0)"
        over = f"{say.greatest}({over}, 0.0)" if begin else over
        left = f"1 - {over}" if s.shape == "linear" else f"(1 + {say.cos}(math.pi * {over})) / 2"
        steps.append(f"{name} = {left}  # the remaining part of this phase, from 1 to 0")
        scale += f" {'-' if high < lower else '+'} {literal(abs(high - lower))} * {name}"
    return "\n".join([*steps, scale])


def _triangular(s: Any, T: int, say: Spelling) -> str:
    shrunk = "" if s.gamma == 1 else f" * {literal(s.gamma)} ** {'t' if s.per == 'update' else 'i'}"
    steps = [
        f"i = {say.floor}({int(s.cycles)} * t / {T})  # completed cycles",
        f"height = 1 - abs(2 * ({int(s.cycles)} * t / {T} - i) - 1)",
    ]
    return "\n".join([*steps, f"{literal(s.low)} + {literal(1 - s.low)} * height{shrunk}"])


FORMULAS: Final[Mapping[str, Formula]] = MappingProxyType(
    {
        "constant": _constant,
        "time_based": _time_based,
        "inverse_time": _inverse_time,
        "inv": _inv,
        "step_decay": _step_decay,
        "multi_step": _multi_step,
        "exponential": _exponential,
        "polynomial": _polynomial,
        "linear": _linear,
        "cosine": _cosine,
        "cosine_restarts": _cosine_restarts,
        "one_cycle": _one_cycle,
        "triangular": _triangular,
        "wsd": _wsd,
        "rex": _rex,
        "inverse_sqrt": _inverse_sqrt,
        "noam": _noam,
    }
)
"""The kinds that are exported as a formula. Any other kind uses decaybench's own classes."""


def milestones(s: Any) -> list[tuple[float, float]]:
    """The (milestone in epochs, factor) pairs of a multi_step schedule."""
    times, gammas = (v if isinstance(v, tuple) else (v,) for v in (s.milestones, s.gamma))
    return list(zip(times, gammas if len(gammas) > 1 else gammas * len(times), strict=True))


def first_cycle(s: Any, T: int) -> float:
    """The length of a cosine_restarts schedule's first cycle, in updates."""
    return T / _cycles_before(s, int(s.cycles))


def restart_times(s: Any, T: int) -> list[int]:
    """The first updates of a cosine_restarts schedule's cycles, except the first cycle."""
    run = _cycles_before(s, int(s.cycles))
    return [int(-(-T * _cycles_before(s, i) // run)) for i in range(1, int(s.cycles))]


def _cycles_before(s: Any, i: int) -> float:
    """The length of the first ``i`` cycles together, in units of the first; an int if ``mult`` is whole."""
    mult: float = int(s.mult) if whole(s.mult) else s.mult
    return sum(mult**j for j in range(i))


def body(setting: Setting, say: Spelling, time: str = "t") -> list[str]:
    """The body of a function that returns the scale at update ``time``, counted from 0; after the end, it is held."""
    span = max(1, setting.total_steps - setting.warmup)
    *steps, formula = FORMULAS[setting.arm.kind](setting.schedule, span, say).split("\n")
    lines = [f"t = {say.least}({time}, {setting.total_steps})  # after the last update, the scale is held"]
    if setting.warmup:
        lines += [
            f"ramp = {ramp(setting, say)}  # {setting.warmup} updates of warmup",
            f"t = {say.greatest}(t - {setting.warmup}, 0)",
        ]
    if re.search(r"\be\b", formula):
        lines.append(f"e = {say.epoch.format(n=setting.steps_per_epoch)}  # epoch, from 0")
    return [*lines, *steps, f"return {f'ramp * ({formula})' if setting.warmup else formula}"]


def ramp(setting: Setting, say: Spelling, time: str = "t") -> str:
    """The warmup factor at update ``time``, counted from 0, as an expression; 1.0 without warmup."""
    if not setting.warmup:
        return "1.0"
    t = f"({time} + 1)" if setting.schedule.warmup_start else time
    return f"{say.least}(1.0, {t} / {setting.warmup})"


def _stairs(s: Any, say: Spelling) -> str:
    steps = literal(s.decay_steps)
    return f"{say.floor}(t / {steps})" if s.staircase else f"(t / {steps})"
