"""The plain loop: one model, torch's own layers and optimizer, one update after the other.

Every fast path must agree with it. It shares with the program only what defines a run: the seed's initial weights and
batch order, an epoch's draws, the split's normalisation, and the schedule's class (K = 1) with what
`TorchScheduler` measures for it on torch's own optimizers.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.overrides import TorchFunctionMode

from decaybench import models, seeds
from decaybench.data import TaskData, batch_order, draw_augmentation
from decaybench.schedules import Clock, Observation
from decaybench.schedules.gradients import products
from decaybench.training import Recipe, Run

DTYPES = {"fp32": torch.float32, "fp64": torch.float64}


class KerasSGD(torch.optim.Optimizer):
    """Keras' SGD: v = m v - lr g; w += v (Nesterov: w += m v - lr g)."""

    def __init__(self, params, lr, momentum, nesterov, weight_decay):
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                v = self.state[p].setdefault("v", torch.zeros_like(p))
                g = p.grad + group["weight_decay"] * p
                v.copy_(group["momentum"] * v - group["lr"] * g)
                p.add_(group["momentum"] * v - group["lr"] * g if group["nesterov"] else v)


@dataclass
class Reference:
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    parameters: torch.Tensor | None = None
    buffers: dict[str, torch.Tensor] = field(default_factory=dict)
    test_loss: float | None = None
    test_accuracy: float | None = None


def make_optimizer(recipe: Recipe, run: Run, model: nn.Module) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": run.weight_decay},
        {"params": biases, "weight_decay": run.weight_decay if recipe.decay_biases else 0.0},
    ]
    form = recipe.form
    if form.kind in ("adam", "adamw"):
        made = torch.optim.Adam if form.kind == "adam" else torch.optim.AdamW
        return made(groups, lr=run.learning_rate, betas=(run.momentum, 0.999), eps=1e-8)
    if form.velocity == "keras":
        return KerasSGD(groups, run.learning_rate, run.momentum, form.nesterov, 0.0)
    return torch.optim.SGD(groups, lr=run.learning_rate, momentum=run.momentum, nesterov=form.nesterov)


def make_average(recipe: Recipe, model: nn.Module) -> AveragedModel | None:
    average = recipe.form.average
    if average is None:
        return None
    made = AveragedModel(model, multi_avg_fn=None if average.ema is None else get_ema_multi_avg_fn(average.ema))
    if average.ema is not None:
        made.update_parameters(model)  # the first call copies the weights
    return made


class SeededDropout(TorchFunctionMode):
    """Makes dropout draw from the run's own generator."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func not in (F.dropout, F.dropout2d):
            return func(*args, **(kwargs or {}))
        return self.drop(func is F.dropout2d, *args, **(kwargs or {}))

    def drop(self, channels, input, p=0.5, training=True, inplace=False):  # noqa: A002  # torch's names
        if not training or not p:
            return input
        shape = (*input.shape[:2], 1, 1) if channels else input.shape
        kept = torch.rand(shape, generator=self.generator) >= p
        return input * kept / (1 - p) if p < 1 else input * 0


def augmented(recipe: Recipe, image, drawn, normalised):
    """One uint8 image (C, H, W), changed as the draws say, pixel by pixel where that is plainest."""
    _, height, width = image.shape
    for each in recipe.augment:
        if each.kind == "crop":
            top, left, drawn = *drawn[:2], drawn[2:]
            image = F.pad(image, [each.pixels] * 4)[:, top : top + height, left : left + width]
        elif each.kind == "flip":
            mirrored, drawn = drawn[0], drawn[1:]
            image = torch.flip(image, [2]) if mirrored else image
    image = normalised(image)
    for each in recipe.augment:
        if each.kind == "cutout":
            row, column = drawn
            begin, end = -(each.pixels // 2), each.pixels - each.pixels // 2
            for y in range(row + begin, row + end):
                for x in range(column + begin, column + end):
                    if 0 <= y < height and 0 <= x < width:
                        image[:, y, x] = 0
    return image


def plain_loop(recipe: Recipe, run: Run, data: TaskData) -> Reference:
    drops = bool(recipe.dropout) or recipe.model == "own"
    dtype = DTYPES[recipe.precision]
    model = models.build(recipe.model, data.shape, data.classes, run.seed, recipe.dropout)
    model._apply(lambda held: held.to(dtype) if held.is_floating_point() else held)  # `to` would halve complex buffers
    dropout = SeededDropout(seeds.generator(run.seed, "dropout")) if drops else nullcontext()
    optimizer, averaged = make_optimizer(recipe, run, model), make_average(recipe, model)
    mean, std = data.mean.to(dtype)[:, None, None], data.std.to(dtype)[:, None, None]

    def normalised(images):
        return (images.to(dtype) / 255 - mean) / std

    def batch(chosen, draws):
        if not recipe.augment:
            return normalised(data.train.images[chosen])
        images = [augmented(recipe, data.train.images[i], draws[i].tolist(), normalised) for i in chosen]
        return torch.stack(images)

    def evaluate(examples):
        evaluated = model
        if averaged is not None and averaged.n_averaged > 0:
            evaluated = averaged
            first = [normalised(data.train.images[i * size : (i + 1) * size]) for i in range(min(50, steps))]
            torch.optim.swa_utils.update_bn(first, evaluated)
        evaluated.eval()
        with torch.no_grad():
            logits = evaluated(normalised(examples.images))
            evaluated.train()
            accuracy = (logits.argmax(1) == examples.labels).double().mean()
            return float(F.cross_entropy(logits, examples.labels)), float(accuracy)

    n = len(data.train.labels)
    size = n if recipe.batch_size == "full" else recipe.batch_size
    steps = n // size
    total = steps * recipe.epochs
    schedule, base = run.schedule, torch.tensor([run.learning_rate], dtype=torch.float64)
    state = schedule.init(1, base)
    when, directions = getattr(schedule, "when", None), {}
    out = Reference()
    for epoch in range(recipe.epochs):
        order = torch.arange(n) if size == n and recipe.batch_size == "full" else batch_order(run.seed, epoch, n)
        draws = draw_augmentation(recipe.augment, run.seed, epoch, n, data.shape[1:]) if recipe.augment else None
        for step in range(epoch * steps, (epoch + 1) * steps):
            chosen = order[(step % steps) * size : (step % steps + 1) * size]
            optimizer.zero_grad()
            with dropout:
                logits = model(batch(chosen, draws))
            labels = data.train.labels[chosen]
            F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing).backward()
            loss, factor = F.cross_entropy(logits, labels), 1.0
            if recipe.clip_norm is not None:
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
                factor = min(1.0, recipe.clip_norm / (float(norm) + 1e-6))
            if when == "update":
                one = [1.0] * len(optimizer.param_groups)  # they share one learning rate
                measured, directions, _ = products(optimizer, getattr(schedule, "observes", ()), directions, one, one)
                # Rules observe the gradient before it is clipped, along the direction that comes of the clipped one.
                times = {name: 2 if name == "grad_norm_sq" else 1 for name in measured}
                measured = {
                    name: torch.tensor(values[:1], dtype=torch.float64) / factor ** times[name]
                    for name, values in measured.items()
                }
                seen = Observation(loss.detach().double()[None], measured, steps)
                state = schedule.observe(state, seen)
            rate = float((base * schedule.scale(state, Clock(step, steps, total))).to(dtype))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            if averaged is not None and recipe.form.average.ema is not None:
                averaged.update_parameters(model)
            out.losses.append(float(loss.detach()))
            out.rates.append(rate)
        if recipe.form.needs_length and epoch >= recipe.epochs - recipe.form.average.last:
            averaged.update_parameters(model)
        out.train_loss.append(sum(out.losses[-steps:]) / steps)
        if when == "epoch":
            seen = evaluate(data.signal)[0] if schedule.held_out else out.train_loss[-1]
            state = schedule.observe(state, Observation(torch.tensor([seen], dtype=torch.float64)))
        validation = evaluate(data.validation)
        out.validation_loss.append(validation[0])
        out.validation_accuracy.append(validation[1])
    out.buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    out.parameters = torch.cat([p.detach().flatten() for p in model.parameters()])
    out.test_loss, out.test_accuracy = evaluate(data.test)
    return out
