"""PyTorch: optimizer and scheduler, with the training loop that they want as comments."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from decaybench.export.setting import Setting, literal, wrapped
from decaybench.export.torch_schedulers import Scheduler, scheduler_of

KERAS_SGD: Final = '''\
class KerasSGD(torch.optim.SGD):
    """SGD with the learning rate inside the velocity, as Keras and Caffe have it: v = m * v - lr * g; w += v.

    torch.optim.SGD has v = m * v + g; w -= lr * v: another path whenever the learning rate changes.
    """

    def __init__(self, params, lr, momentum, nesterov=False, weight_decay=0.0):
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

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
                velocity.mul_(self.momentum).sub_(step)
                p.add_(velocity * self.momentum - step if self.nesterov else velocity)
        return loss
'''


# The optimizers that torch does not have, and what to pip install.
PACKAGES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "schedule-free": ["from schedulefree import SGDScheduleFree  # pip install schedulefree"],
        "prodigy": ["from prodigyopt import Prodigy  # pip install prodigyopt"],
    }
)


def write(setting: Setting) -> str:
    """Code that is given ``model`` and makes ``optimizer`` and, unless the learning rate is constant, ``scheduler``."""
    scheduler = scheduler_of(setting)
    optimizer = _optimizer(setting)
    imports = ["import torch", *PACKAGES.get(setting.arm.optimizer, ()), *scheduler.imports]
    if any("math." in line for line in scheduler.lines):
        imports = ["import math", "", *imports]
    lines = [*setting.head(), *imports, "", *optimizer, *scheduler.lines, "", *_loop(setting, scheduler)]
    return "\n".join(lines) + "\n"


def _optimizer(setting: Setting) -> list[str]:
    given, arm = setting.parameters, setting.arm
    decay = literal(given.weight_decay)
    lines: list[str] = []
    arguments = [f"lr={literal(given.learning_rate)}"]
    if arm.optimizer in ("adam", "prodigy"):
        name = "torch.optim.Adam" if arm.optimizer == "adam" else "Prodigy"
        arguments.append(f"betas=({literal(given.momentum)}, 0.999)")
        arguments += [] if arm.optimizer == "adam" else ["decouple=False"]  # weight decay is in the gradient
    else:
        name = "SGDScheduleFree" if arm.optimizer == "schedule-free" else "torch.optim.SGD"
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
    averages = setting.arm.optimizer == "schedule-free"
    lines = ["The training loop:", f"for epoch in range({setting.epochs}):"]
    lines += ["    optimizer.train()  # the weights that are trained"] if averages else []
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
    lines += ["    optimizer.eval()  # their average: to be evaluated and saved"] if averages else []
    if scheduler.reads == "held_out_loss":
        lines.append("    held_out_loss = evaluate(model, held_out)  # on examples neither trained nor selected on")
    if scheduler.per_epoch:
        lines.append(f"    {scheduler.per_epoch}  # after each epoch")
    return [f"# {line}" for line in lines]
