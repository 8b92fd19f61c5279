"""PyTorch: the optimizer and the scheduler, with the training loop as comments."""

from decaybench.errors import UserError
from decaybench.export import augmentation
from decaybench.export.setting import Setting, literal, wrapped
from decaybench.export.torch_schedulers import Scheduler, scheduler_of
from decaybench.optimizers import OPTIMIZERS, TorchCode


def write(setting: Setting) -> str:
    """Code that makes ``optimizer`` and, unless the learning rate is constant, ``scheduler`` for a given ``model``.

    Raises UserError if the optimizer does not exist in PyTorch, or if the rule cannot observe clipped gradients.
    """
    if setting.sweep.task.clip_norm is not None and (asked := _along(setting)):
        raise UserError(
            f"--format: {setting.arm.kind} cannot observe {' and '.join(asked)} of gradients that are clipped; use toml"
        )
    scheduler, code = scheduler_of(setting), _code(setting)
    imports = ["import torch", *code.imports, *scheduler.imports]
    if any("math." in line for line in scheduler.lines):
        imports = ["import math", "", *imports]
    optimizer, loop = _optimizer(setting, code), _loop(setting, scheduler, code.averages)
    functions = augmentation.functions([each.in_torch() for each in setting.augment])
    lines = [*setting.head(), *imports, "", *optimizer, *scheduler.lines, *_others(setting), *functions, "", *loop]
    return "\n".join(lines) + "\n"


def _code(setting: Setting) -> TorchCode:
    """The optimizer in PyTorch; UserError if PyTorch does not have it."""
    optimizer = OPTIMIZERS.get(setting.arm.optimizer)
    code = optimizer.in_torch(setting.use) if optimizer else None
    if code is None:
        raise UserError(
            f"--format: PyTorch has no {setting.arm.optimizer}, the optimizer of {setting.arm.label}; use toml"
        )
    return code


def _optimizer(setting: Setting, code: TorchCode) -> list[str]:
    decay = literal(setting.parameters.weight_decay)
    lines = ["", *code.source.splitlines(), "", ""] if code.source else []
    arguments = [f"lr={literal(setting.parameters.learning_rate)}", *code.arguments]
    parameters = "model.parameters()"
    if setting.decays_weights_only:
        parameters = "groups"
        lines += [
            "groups = [  # weight decay for the weights only",
            f'    {{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": {decay}}},',
            '    {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},',
            "]",
        ]
    else:
        arguments.append(f"weight_decay={decay}")
    return [*lines, *wrapped(f"optimizer = {code.name}", [parameters, *arguments])]


def _along(setting: Setting) -> list[str]:
    """The products with directions, which follow from clipped gradients, that the rule observes."""
    return [name for name in getattr(setting.schedule, "observes", ()) if name != "grad_norm_sq"]


def _others(setting: Setting) -> list[str]:
    """The loss and the average of the weights, if the sweep sets them."""
    smoothing, average, lines = setting.sweep.task.label_smoothing, setting.arm.average, list[str]()
    if smoothing is not None:
        lines.append(f"loss_function = torch.nn.CrossEntropyLoss(label_smoothing={literal(smoothing)})")
    if average is not None and average.ema is not None:
        lines += [
            "averaged = torch.optim.swa_utils.AveragedModel(",
            f"    model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn({literal(average.ema)})",
            ")",
            "averaged.update_parameters(model)  # the average starts at the initial weights",
        ]
    elif average is not None:
        lines.append("averaged = torch.optim.swa_utils.AveragedModel(model)")
    if average is not None:
        lines += [
            "# If the model has batch norm, estimate its statistics before each evaluation, on the first 50 training",
            "# batches in file order: torch.optim.swa_utils.update_bn(first_batches, averaged)",
        ]
    return lines


def _loop(setting: Setting, scheduler: Scheduler, averages: bool) -> list[str]:
    """The training loop, as comments, since the result depends on where the scheduler is called."""
    of, means = setting.steps_per_epoch, scheduler.reads == "train_loss"
    lines = ["The training loop:", f"for epoch in range({setting.epochs}):"]
    lines += ["    optimizer.train()  # use the weights that are trained"] if averages else []
    lines += ["    train_loss = 0.0"] if means else []
    lines += [f"    for images, labels in batches:  # {of} per epoch; drop a partial last batch"]
    if augment := setting.augment:
        takes = "pixels, in which 0 is black" if augmentation.needs_pixels(augment) else "normalised images"
        lines.append(f"        images = {augmentation.call(augment)}  # `batches` gives {takes}")
    lines += ["        optimizer.zero_grad()"]
    if setting.sweep.task.label_smoothing is not None and (means or scheduler.observe):
        lines += [
            "        outputs = model(images)",
            "        loss_function(outputs, labels).backward()",
            "        loss = torch.nn.functional.cross_entropy(outputs, labels)  # the rule observes the plain loss",
        ]
    else:
        lines += ["        loss = loss_function(model(images), labels)", "        loss.backward()"]
    if scheduler.observe:
        lines.append(f"        {scheduler.observe}  # before the step: it sets this update's own learning rate")
    if (norm := setting.sweep.task.clip_norm) is not None:
        lines.append(f"        torch.nn.utils.clip_grad_norm_(model.parameters(), {literal(norm)})")
    lines.append("        optimizer.step()")
    average, evaluated = setting.arm.average, "model"
    if average is not None and average.last is None:
        lines.append("        averaged.update_parameters(model)  # evaluate and save this model")
        evaluated = "averaged"
    if scheduler.per_update:
        lines.append(f"        {scheduler.per_update}  # after each update")
    lines += [f"        train_loss += loss.item() / {of}"] if means else []
    if average is not None and average.last is not None:
        begins = setting.epochs - average.last
        lines += [
            f"    if epoch >= {begins}:",
            "        averaged.update_parameters(model)  # from here on, evaluate and save this model",
        ]
        evaluated = f"averaged if epoch >= {begins} else model"
    lines += ["    optimizer.eval()  # use their average, for evaluation and saving"] if averages else []
    if scheduler.reads == "held_out_loss":
        lines.append(
            f"    held_out_loss = evaluate({evaluated}, held_out)"
            "  # on examples used neither for training nor for selection"
        )
    if scheduler.per_epoch:
        lines.append(f"    {scheduler.per_epoch}  # after each epoch")
    return [f"# {line}" for line in lines]
