"""torch's own scheduler if one gives the same learning rates, else a formula for LambdaLR, else decaybench's own."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from decaybench.export.formula import FORMULAS, PYTHON, body, first_cycle, milestones
from decaybench.export.setting import Setting, call, literal, whole, wrapped
from decaybench.schedules import Reactive


@dataclass(frozen=True)
class Scheduler:
    """The lines that make the scheduler, the imports that they need, and how the training loop calls it.

    ``observe`` is called before an update's step, ``per_update`` after each update, and ``per_epoch`` after each epoch.
    """

    lines: Sequence[str]
    imports: Sequence[str] = ()
    observe: str | None = None
    per_update: str | None = None
    per_epoch: str | None = None
    reads: str | None = None  # the loss in per_epoch: "train_loss" or "held_out_loss"


def scheduler_of(setting: Setting) -> Scheduler:
    """torch's own scheduler if it has the same learning rates (it has no such warmup), else the general form."""
    exact = None if setting.warmup else SCHEDULERS.get(setting.arm.kind)
    return exact(setting) if exact else _general(setting)


def _general(setting: Setting) -> Scheduler:
    """The kind's formula; a kind without one, such as one of another package, uses decaybench's class."""
    return (_by_formula if setting.arm.kind in FORMULAS else _by_decaybench)(setting)


def _torch(name: str, *arguments: str) -> list[str]:
    return wrapped(f"scheduler = torch.optim.lr_scheduler.{name}", ["optimizer", *arguments])


def _each_update(name: str, *arguments: str) -> Scheduler:
    return Scheduler(_torch(name, *arguments), per_update="scheduler.step()")


def _each_epoch(name: str, *arguments: str) -> Scheduler:
    return Scheduler(_torch(name, *arguments), per_epoch="scheduler.step()")


def _by_formula(setting: Setting) -> Scheduler:
    function = [
        "def scale(t):",
        f'    """{setting.arm.kind}: learning rate / base learning rate at update t, counted from 0."""',
    ]
    lines = ["", "", *function, *(f"    {line}" for line in body(setting, PYTHON)), "", ""]
    return Scheduler([*lines, *_torch("LambdaLR", "scale")], per_update="scheduler.step()")


def _by_decaybench(setting: Setting) -> Scheduler:
    """decaybench's own adapter, since no scheduler of torch can observe a loss before the step."""
    rule = setting.schedule
    made = f"scheduler = TorchScheduler(optimizer, {call(rule)}, {setting.total_steps}, {setting.steps_per_epoch})"
    imports = ["from decaybench.schedules import SCHEDULES, TorchScheduler"]
    if not isinstance(rule, Reactive):
        return Scheduler([made], imports, per_update="scheduler.step()")
    if rule.when == "update":
        return Scheduler([made], imports, observe="scheduler.observe(loss)", per_update="scheduler.step()")
    reads = "held_out_loss" if rule.held_out else "train_loss"
    observe = f"scheduler.observe({reads})"
    return Scheduler([made], imports, per_update="scheduler.step()", per_epoch=observe, reads=reads)


def _constant(setting: Setting) -> Scheduler:
    return Scheduler(["# The learning rate is constant, so there is no scheduler."])


def _exponential(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    rate, steps = literal(s.decay_rate), s.decay_steps
    if not s.staircase:
        return _each_update("ExponentialLR", f"gamma={rate} ** (1 / {literal(steps)})")
    if not whole(steps):
        return _general(setting)
    if steps % setting.steps_per_epoch:
        return _each_update("StepLR", f"step_size={int(steps)}, gamma={rate}")
    return _each_epoch("StepLR", f"step_size={int(steps) // setting.steps_per_epoch}, gamma={rate}")


def _step_decay(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.offset or not whole(s.epochs_drop):
        return _general(setting)
    return _each_epoch("StepLR", f"step_size={int(s.epochs_drop)}, gamma={literal(s.drop)}")


def _multi_step(setting: Setting) -> Scheduler:
    pairs = milestones(setting.schedule)
    first = math.ceil(pairs[0][0])  # the first whole epoch at or after the milestone
    if len({gamma for _, gamma in pairs}) > 1 or first < 1:
        return _general(setting)
    times = [math.ceil(time) for time, _ in pairs]
    return _each_epoch("MultiStepLR", f"milestones={times}, gamma={literal(pairs[0][1])}")


def _polynomial(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.end:
        return _general(setting)
    return _each_update("PolynomialLR", f"total_iters={setting.total_steps}, power={literal(s.power)}")


def _linear(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    ends = f"start_factor=1.0, end_factor={literal(s.end)}"
    return _each_update("LinearLR", f"{ends}, total_iters={setting.total_steps}")


def _cosine(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    least = literal(s.floor * setting.parameters.learning_rate)
    return _each_update("CosineAnnealingLR", f"T_max={setting.total_steps}, eta_min={least}")


def _cosine_restarts(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    first = first_cycle(s, setting.total_steps)
    if s.decay != 1 or not whole(first) or not whole(s.mult):
        return _general(setting)
    least = literal(s.floor * setting.parameters.learning_rate)
    return _each_update("CosineAnnealingWarmRestarts", f"T_0={int(first)}, T_mult={int(s.mult)}, eta_min={least}")


def _one_cycle(setting: Setting) -> Scheduler:
    """torch places its points one update earlier, counted from the first of ``total_steps`` to the last."""
    s: Any = setting.schedule
    if s.phases == 3 and s.pct_down not in (0, 2 * s.pct):
        return _general(setting)
    T = setting.total_steps
    arguments = [
        f"max_lr={literal(setting.parameters.learning_rate)}",
        f"total_steps={T + 1}",
        f"pct_start={literal((s.pct * T + 1) / (T + 1))}",
        f'anneal_strategy="{s.shape}"',
        "cycle_momentum=False",
        f"div_factor={literal(s.div)}",
        f"final_div_factor={literal(s.final_div)}",
        *(["three_phase=True"] if s.phases == 3 else []),
    ]
    return _each_update("OneCycleLR", *arguments)


def _triangular(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    up = setting.total_steps / (2 * s.cycles)
    if not whole(up) or (s.per == "cycle" and s.gamma not in (0.5, 1)):
        return _general(setting)
    mode = "triangular" if s.gamma == 1 else "exp_range" if s.per == "update" else "triangular2"
    peak = setting.parameters.learning_rate
    arguments = [
        f"base_lr={literal(s.low * peak)}",
        f"max_lr={literal(peak)}",
        f"step_size_up={int(up)}",
        f'mode="{mode}"',
        *([f"gamma={literal(s.gamma)}"] if mode == "exp_range" else []),
        "cycle_momentum=False",
    ]
    return _each_update("CyclicLR", *arguments)


def _reduce_on_plateau(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.convention != "torch":
        return _general(setting)
    reads = "held_out_loss" if s.held_out else "train_loss"
    arguments = [
        f"factor={literal(s.factor)}",
        f"patience={s.patience}",
        f"threshold={literal(s.threshold)}",
        f'threshold_mode="{s.threshold_mode or "rel"}"',
        f"cooldown={s.cooldown}",
        f"min_lr={literal(s.min_scale * setting.parameters.learning_rate)}",
    ]
    lines = _torch("ReduceLROnPlateau", *arguments)
    return Scheduler(lines, per_epoch=f"scheduler.step({reads})", reads=reads)


# The kinds that torch has a scheduler for; a function falls back if the learning rates would differ.
SCHEDULERS: Final[Mapping[str, Callable[[Setting], Scheduler]]] = MappingProxyType(
    {
        "constant": _constant,
        "step_decay": _step_decay,
        "multi_step": _multi_step,
        "exponential": _exponential,
        "polynomial": _polynomial,
        "linear": _linear,
        "cosine": _cosine,
        "cosine_restarts": _cosine_restarts,
        "one_cycle": _one_cycle,
        "triangular": _triangular,
        "reduce_on_plateau": _reduce_on_plateau,
    }
)
