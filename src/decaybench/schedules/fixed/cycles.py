"""Schedules that rise and fall. t: updates made, of T."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from decaybench.schedules.base import Clock, Fixed, Param, Range, number
from decaybench.schedules.validation import refuse


@dataclass(frozen=True)
class CosineRestarts(Fixed):
    """scale = floor + (1 - floor) * decay ** i * (1 + cos(pi * x)) / 2, where x is the elapsed fraction of cycle i.

    Cycles are counted from 0. The run consists of ``cycles`` whole cycles, each ``mult`` times as long as the one
    before, so it ends at the end of a cycle.

    Pitfalls: frameworks take the first cycle's length instead, so a run that does not fit whole cycles ends in the
    middle of one, at a high learning rate. With a floor and a decay, timm's peaks are decay ** i; TensorFlow's peaks,
    and these, are a little higher because the floor does not decay.

    Source: Loshchilov & Hutter 2017, SGDR; tf.keras CosineDecayRestarts (t_mul, m_mul, alpha).
    """

    cycles: Param = number("int [1, 100]", Range(1, 4, int=True))
    mult: Param = number("[1, 10]", Range(choices=(1, 2)))
    decay: Param = number("(0, 1]", 1.0)
    floor: Param = number("[0, 1]", 0.0)

    def at(self, clock: Clock) -> Tensor:
        t, end = clock.step, clock.total_steps
        mult, cycles = (torch.as_tensor(v, dtype=torch.float64, device=t.device) for v in (self.mult, self.cycles))
        equal = mult == 1

        def begins(i: Tensor) -> Tensor:
            """The start of cycle i, if the run has length begins(cycles); whole if mult is whole."""
            grown = mult**i
            return torch.where(equal, i, torch.where(mult == mult.round(), grown.round(), grown) - 1.0)

        time = t * begins(cycles)
        i = torch.where(equal, torch.floor(time / end), torch.floor(torch.log1p(time / end) / torch.log(mult)))
        # The logarithm may be wrong at a cycle's first update, where the products are exact.
        i = torch.where(end * begins(i) > time, i - 1.0, i)
        i = torch.where(end * begins(i + 1.0) <= time, i + 1.0, i)
        i = torch.minimum(i.clamp(min=0.0), cycles - 1.0)
        over = (time / end - begins(i)) / (begins(i + 1.0) - begins(i))
        falling = (1.0 + torch.cos(math.pi * over.clamp(0.0, 1.0))) / 2.0
        scale: Tensor = self.floor + (1.0 - self.floor) * self.decay**i * falling
        return scale


@dataclass(frozen=True)
class OneCycle(Fixed):
    """scale = 1/div at t = 0, 1 at pct * T, 1/(div * final_div) at T; with 3 phases 1/div again at pct_down * T.

    Between these points it follows a straight line or half a cosine (``shape``). ``pct`` and ``pct_down`` are fractions
    of the run; ``pct_down`` 0 means 2 * pct. Three phases need pct < pct_down <= 1, otherwise ValueError; at 1 the
    third phase is empty.

    Pitfalls: torch's OneCycleLR also cycles momentum, which this never does, and places its points one update earlier.
    optax' linear form has three phases and pct_down 0.85.

    Source: Smith 2018; torch.optim.lr_scheduler.OneCycleLR; optax.linear_onecycle_schedule, cosine_onecycle_schedule.
    """

    pct: Param = number("(0, 1)", 0.3, search=Range(0.1, 0.45))
    pct_down: Param = number("[0, 1]", 0.0)
    div: Param = number("[1, inf)", 25.0)
    final_div: Param = number("[1, inf)", 1e4)
    shape: Literal["cos", "linear"] = "cos"
    phases: Literal[2, 3] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        phases: Any = self.phases
        if 3 not in (phases.choices or () if isinstance(phases, Range) else (phases,)):
            return
        top = max(_extremes(self.pct))
        for down in _extremes(self.pct_down):
            if not torch.as_tensor((down > top) | (down == 0) & (2 * top <= 1)).all():
                rule = f"above pct ({_one_line(top)}), or 0 where pct is at most 0.5, with 3 phases"
                refuse("OneCycle", "pct_down", rule, self.pct_down)

    def at(self, clock: Clock) -> Tensor:
        t, end = clock.step, clock.total_steps
        start, last = 1.0 / self.div, 1.0 / (self.div * self.final_div)
        up = self.pct * end
        rising = self._between(start, 1.0, t / up)
        if self.phases == 2:
            return torch.where(t <= up, rising, self._between(1.0, last, (t - up) / (end - up)))
        down = torch.as_tensor(self.pct_down, dtype=torch.float64, device=t.device)
        down = torch.where(down > 0, down, 2.0 * self.pct) * end
        falling = self._between(1.0, start, (t - up) / (down - up))
        tail = self._between(start, last, (t - down) / (end - down))
        return torch.where(t <= up, rising, torch.where(t <= down, falling, tail))

    def _between(self, begin: Any, end: Any, over: Tensor) -> Tensor:
        left = 1.0 - over if self.shape == "linear" else (1.0 + torch.cos(math.pi * over)) / 2.0
        scale: Tensor = end + (begin - end) * left
        return scale


def _extremes(value: Any) -> tuple[Any, ...]:
    """The values that a field may take: the field's value, or its range's choices or ends (and 0 with zero_or)."""
    if not isinstance(value, Range):
        return (value,)
    ends = value.choices or (value.low, value.high)
    return (*ends, 0) if value.zero_or else ends


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())


@dataclass(frozen=True)
class Triangular(Fixed):
    """scale = low + (1 - low) * x * gamma ** t, where x rises from 0 to 1 and falls back to 0 in each cycle.

    The run consists of ``cycles`` whole cycles; it starts and ends at ``low``. With ``per="cycle"`` the exponent of
    gamma is the number of the cycle (from 0) instead of the update; 0.5 is then Smith's triangular2.

    Pitfalls: by default gamma is per update, so a value that looks mild (0.99) leaves nothing after a thousand updates.

    Source: Smith 2017, Cyclical learning rates; torch.optim.lr_scheduler.CyclicLR (triangular, exp_range, triangular2).
    """

    cycles: Param = number("int [1, 10000]", Range(1, 5, int=True))
    low: Param = number("[0, 1]", Range(0.05, 0.33))
    gamma: Param = number("(0, 1]", 1.0)
    per: Literal["update", "cycle"] = "update"

    def at(self, clock: Clock) -> Tensor:
        t, end = clock.step, clock.total_steps
        time = t * self.cycles
        height = 1.0 - (2.0 * torch.remainder(time, end) / end - 1.0).abs()
        shrunk = self.gamma ** (t if self.per == "update" else torch.floor(time / end))
        scale: Tensor = self.low + (1.0 - self.low) * height * shrunk
        return scale
