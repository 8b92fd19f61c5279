"""PyTorch: optimizer and scheduler, with the training loop that they want as comments."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from decaybench.export.formula import PYTHON, body, milestones
from decaybench.export.setting import Setting, call, literal, whole, wrapped
from decaybench.schedules import Reactive

KERAS_SGD: Final = '''\
class KerasSGD(torch.optim.Optimizer):
    """SGD with the learning rate inside the velocity, as Keras and Caffe have it: v = m * v - lr * g; w += v.

    torch.optim.SGD has v = m * v + g; w -= lr * v: another path whenever the learning rate changes.
    """

    def __init__(self, params, lr, momentum, nesterov=False, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                step = (p.grad + group["weight_decay"] * p) * group["lr"]
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(group["momentum"]).sub_(step)
                p.add_(velocity * group["momentum"] - step if group["nesterov"] else velocity)
        return loss
'''


@dataclass(frozen=True)
class Scheduler:
    """The lines that make the scheduler (``imports`` go on top), and when the training loop calls it how."""

    lines: Sequence[str]
    imports: Sequence[str] = ()
    observe: str | None = None
    per_update: str | None = None
    per_epoch: str | None = None
    reads: str | None = None  # what per_epoch is called with: "train_loss" or "held_out_loss"


def write(setting: Setting) -> str:
    """Code that is given ``model`` and makes ``optimizer`` and, unless the learning rate is constant, ``scheduler``."""
    scheduler = SCHEDULERS.get(setting.arm.kind, _by_decaybench)(setting)
    optimizer = _optimizer(setting)
    imports = ["import torch", *scheduler.imports]
    if any("math." in line for line in scheduler.lines):
        imports = ["import math", "", *imports]
    lines = [*setting.head(), *imports, "", *optimizer, *scheduler.lines, "", *_loop(setting, scheduler)]
    return "\n".join(lines) + "\n"


def _optimizer(setting: Setting) -> list[str]:
    given, arm = setting.parameters, setting.arm
    decay = literal(given.weight_decay)
    lines: list[str] = []
    arguments = [f"lr={literal(given.learning_rate)}"]
    if arm.optimizer == "adam":
        name = "torch.optim.Adam"
        arguments.append(f"betas=({literal(given.momentum)}, 0.999)")
    else:
        name = "torch.optim.SGD"
        if arm.velocity == "keras" and given.momentum > 0:
            lines += ["", *KERAS_SGD.splitlines(), "", ""]
            name = "KerasSGD"
        arguments.append(f"momentum={literal(given.momentum)}")
        if arm.nesterov:
            arguments.append("nesterov=True")
    parameters = "model.parameters()"
    if setting.decays_weights_only:
        parameters = "groups"
        lines += [
            "groups = [  # weight decay on the weights only",
            f'    {{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": {decay}}},',
            '    {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},',
            "]",
        ]
    else:
        arguments.append(f"weight_decay={decay}")
    return [*lines, *wrapped(f"optimizer = {name}", [parameters, *arguments])]


def _loop(setting: Setting, scheduler: Scheduler) -> list[str]:
    """The training loop, as comments: where its scheduler is called is part of what was found."""
    of, means = setting.steps_per_epoch, scheduler.reads == "train_loss"
    lines = ["The training loop:", f"for epoch in range({setting.epochs}):"]
    lines += ["    train_loss = 0.0"] if means else []
    lines += [
        f"    for images, labels in batches:  # {of} an epoch: drop the last, partial one",
        "        optimizer.zero_grad()",
        "        loss = loss_function(model(images), labels)",
        "        loss.backward()",
    ]
    if scheduler.observe:
        lines.append(f"        {scheduler.observe}  # before the step: it sets this update's own learning rate")
    lines.append("        optimizer.step()")
    if scheduler.per_update:
        lines.append(f"        {scheduler.per_update}  # after each update")
    lines += [f"        train_loss += loss.item() / {of}"] if means else []
    if scheduler.reads == "held_out_loss":
        lines.append("    held_out_loss = evaluate(model, held_out)  # on examples neither trained nor selected on")
    if scheduler.per_epoch:
        lines.append(f"    {scheduler.per_epoch}  # after each epoch")
    return [f"# {line}" for line in lines]


def _torch(name: str, *arguments: str) -> list[str]:
    return wrapped(f"scheduler = torch.optim.lr_scheduler.{name}", ["optimizer", *arguments])


def _each_update(name: str, *arguments: str) -> Scheduler:
    return Scheduler(_torch(name, *arguments), per_update="scheduler.step()")


def _each_epoch(name: str, *arguments: str) -> Scheduler:
    return Scheduler(_torch(name, *arguments), per_epoch="scheduler.step()")


def _by_formula(setting: Setting) -> Scheduler:
    function = [
        "def scale(t):",
        f'    """{setting.arm.kind}: learning rate / base learning rate at update t, from 0."""',
    ]
    lines = ["", "", *function, *(f"    {line}" for line in body(setting, PYTHON)), "", ""]
    return Scheduler([*lines, *_torch("LambdaLR", "scale")], per_update="scheduler.step()")


def _by_decaybench(setting: Setting) -> Scheduler:
    """decaybench's own adapter: torch has no scheduler that is shown a loss before the step."""
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
    return Scheduler(["# The learning rate stays what it is: no scheduler."])


def _exponential(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    rate, steps = literal(s.decay_rate), s.decay_steps
    if not s.staircase:
        return _each_update("ExponentialLR", f"gamma={rate} ** (1 / {literal(steps)})")
    if not whole(steps):
        return _by_formula(setting)
    if steps % setting.steps_per_epoch:
        return _each_update("StepLR", f"step_size={int(steps)}, gamma={rate}")
    return _each_epoch("StepLR", f"step_size={int(steps) // setting.steps_per_epoch}, gamma={rate}")


def _step_decay(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.offset or not whole(s.epochs_drop):
        return _by_formula(setting)
    return _each_epoch("StepLR", f"step_size={int(s.epochs_drop)}, gamma={literal(s.drop)}")


def _multi_step(setting: Setting) -> Scheduler:
    pairs = milestones(setting.schedule)
    first = math.ceil(pairs[0][0])  # an epoch is past a milestone of 2.4 once it is 3
    if len({gamma for _, gamma in pairs}) > 1 or first < 1:
        return _by_formula(setting)
    times = [math.ceil(time) for time, _ in pairs]
    return _each_epoch("MultiStepLR", f"milestones={times}, gamma={literal(pairs[0][1])}")


def _polynomial(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.end:
        return _by_formula(setting)
    return _each_update("PolynomialLR", f"total_iters={setting.total_steps}, power={literal(s.power)}")


def _linear(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    ends = f"start_factor=1.0, end_factor={literal(s.end)}"
    return _each_update("LinearLR", f"{ends}, total_iters={setting.total_steps}")


def _cosine(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    least = literal(s.floor * setting.parameters.learning_rate)
    return _each_update("CosineAnnealingLR", f"T_max={setting.total_steps}, eta_min={least}")


def _reduce_on_plateau(setting: Setting) -> Scheduler:
    s: Any = setting.schedule
    if s.convention != "torch":
        return _by_decaybench(setting)
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


def _unless_warmup(
    exact: Callable[[Setting], Scheduler], warmed: Callable[[Setting], Scheduler]
) -> Callable[[Setting], Scheduler]:
    """torch's own class, which knows no warmup like ours, or else the other way."""
    return lambda setting: (warmed if setting.warmup else exact)(setting)


SCHEDULERS: Final[Mapping[str, Callable[[Setting], Scheduler]]] = MappingProxyType(
    {
        "constant": _unless_warmup(_constant, _by_formula),
        "time_based": _by_formula,
        "inverse_time": _by_formula,
        "step_decay": _unless_warmup(_step_decay, _by_formula),
        "multi_step": _unless_warmup(_multi_step, _by_formula),
        "exponential": _unless_warmup(_exponential, _by_formula),
        "polynomial": _unless_warmup(_polynomial, _by_formula),
        "linear": _unless_warmup(_linear, _by_formula),
        "cosine": _unless_warmup(_cosine, _by_formula),
        "exp_loss": _by_decaybench,
        "exp_loss_relative": _by_decaybench,
        "reduce_on_plateau": _unless_warmup(_reduce_on_plateau, _by_decaybench),
    }
)
