"""The PyTorch code is run, trained with as its comments say, and has the learning rates of ``trace``."""

import re

import pytest
import torch

from chained import Chained
from decaybench import models
from decaybench.data import batch_order, draw_augmentation, draw_splits, load_dataset, normalise, prepare
from decaybench.errors import UserError
from decaybench.export.augmentation import needs_pixels
from decaybench.export.formula import FORMULAS
from decaybench.export.pytorch import write
from decaybench.export.torch_schedulers import SCHEDULERS
from decaybench.optimizers import OptimizerForm
from decaybench.runner.worker import recipe
from decaybench.schedules import SCHEDULES, Schedule, trace
from decaybench.training import Run, train
from export.settings import LEARNING_RATE, setting
from schedules.samples import draw, losses

T, N = 60, 5  # updates, and updates an epoch


@pytest.fixture(scope="module")
def few():
    """A few digits of each split."""
    dataset = load_dataset("digits", None)
    return prepare(dataset, draw_splits(dataset, 0, train_size=64, validation_size=60, test_size=60, signal=True))


def loop_of(code: str) -> str:
    """The training loop, which the code has as comments."""
    lines = code[code.index("# The training loop:\n") :].splitlines()[1:]
    return "\n".join(line.removeprefix("# ") for line in lines)


def on_one_line(code: str) -> str:
    return re.sub(r",\s*\n\)", ")", code).replace("(\n    ", "(").replace(",\n    ", ", ")


def gradients(seed: int) -> torch.Tensor:
    return torch.randn(T, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rates_of(code: str, values: list[float] | None, per_epoch: bool, slopes: torch.Tensor) -> list[float]:
    """The learning rates of a training by ``code`` on a model whose losses are ``values``, their gradients ``slopes``."""
    model = torch.nn.Linear(1, 1, dtype=torch.float64)
    rates: list[float] = []

    def loss_function(output: torch.Tensor, labels: object) -> torch.Tensor:
        t = len(rates)
        value = 0.0 if values is None else values[t // N if per_epoch else t]
        return slopes[t] * (output - output.detach()).sum() + value

    space = {
        "model": model,
        "batches": [(torch.zeros(1, 1, dtype=torch.float64), None)] * N,  # so the bias alone has a gradient
        "loss_function": loss_function,
        "held_out": None,
        "evaluate": lambda model, examples: values[len(rates) // N - 1],
    }
    exec(compile(code, "code", "exec"), space)
    space["optimizer"].register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    exec(compile(loop_of(code), "loop", "exec"), space)
    return rates


def products_of(schedule: Schedule, g: torch.Tensor, momentum: float = 0.9) -> dict[str, torch.Tensor]:
    """What the schedule looks at of an SGD without weight decay whose gradients are ``g``."""
    velocity = [g[0]]
    for gradient in g[1:]:
        velocity.append(momentum * velocity[-1] + gradient)
    now, before = torch.stack(velocity), torch.stack([torch.zeros(()), *velocity[:-1]])
    measured = {"grad_norm_sq": g * g, "grad_dot_direction": g * now, "grad_dot_previous": g * before}
    return {name: measured[name] for name in getattr(schedule, "observes", ())}


def check(schedule: Schedule, seed: int = 0, **task: object) -> str:
    code = write(setting(schedule, T, N, **task))
    values, slopes = losses(schedule, seed, T, N), gradients(seed)
    rates = rates_of(code, values, getattr(schedule, "when", "update") == "epoch", slopes)
    measured = products_of(schedule, slopes)
    expected = LEARNING_RATE * trace(schedule, T, N, values, base_lr=LEARNING_RATE, products=measured)
    assert rates == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-15)
    return code


def test_every_way_has_its_line_in_the_table():
    assert {*SCHEDULERS, *FORMULAS} <= {kind for kind, _, _ in EXACT} <= set(SCHEDULES)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_kind_is_exact_or_falls_back(kind, monkeypatch):
    """With a warmup, which no scheduler of torch's has, it is the formula; without one, or in no table, decaybench's."""
    general = "LambdaLR" if kind in FORMULAS else "TorchScheduler"
    assert general in check(draw(kind, 1, T, N), 1)
    monkeypatch.setattr("decaybench.export.torch_schedulers.SCHEDULERS", {})
    assert general in check(draw(kind, 0, T, N), 0)
    monkeypatch.setattr("decaybench.export.torch_schedulers.FORMULAS", {})
    for seed in (0, 1):
        assert "TorchScheduler" in check(draw(kind, seed, T, N), seed)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 8))])
def test_the_learning_rates_are_those_of_trace(kind, seed):
    check(draw(kind, seed, T, N), seed)


EXACT = [
    ("constant", {}, "no scheduler"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 7.5}, "ExponentialLR(optimizer, gamma=0.5 ** (1 / 7.5))"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 10.0, "staircase": True}, "StepLR(optimizer, step_size=2, gamma=0.5)"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 7, "staircase": True}, "StepLR(optimizer, step_size=7, gamma=0.5)"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 7.3, "staircase": True}, "LambdaLR"),
    ("exponential", {"decay_rate": 0.5, "decay_steps": 10, "staircase": True, "warmup": 8}, "LambdaLR"),
    ("step_decay", {"drop": 0.5, "epochs_drop": 3}, "StepLR(optimizer, step_size=3, gamma=0.5)"),
    ("step_decay", {"drop": 0.5, "epochs_drop": 3, "offset": 1}, "LambdaLR"),
    ("step_decay", {"drop": 0.5, "epochs_drop": 2.5}, "LambdaLR"),
    ("multi_step", {"milestones": [3, 7.2, 7.9], "gamma": 0.1}, "MultiStepLR(optimizer, milestones=[3, 8, 8], gamma=0.1)"),
    ("multi_step", {"milestones": [3, 7], "gamma": [0.1, 0.5]}, "LambdaLR"),
    ("multi_step", {"milestones": [0, 7], "gamma": 0.5, "warmup": 4}, "LambdaLR"),
    ("polynomial", {"power": 2.0, "end": 0}, "PolynomialLR"),
    ("polynomial", {"power": 2.0, "end": 0.1}, "LambdaLR"),
    ("linear", {"end": 0.2}, "LinearLR"),
    ("linear", {}, "LinearLR"),
    ("cosine", {"floor": 0.0}, "CosineAnnealingLR"),
    ("cosine", {"floor": 0.1}, "CosineAnnealingLR(optimizer, T_max=60, eta_min=0.03)"),
    ("cosine", {"floor": 0.1, "warmup": 9.6, "warmup_start": 0}, "10 updates of warmup"),
    ("cosine", {"floor": 0.1, "warmup": 100}, "LambdaLR"),
    ("constant", {"warmup": 6}, "LambdaLR"),
    ("time_based", {"decay": 0.1, "per": "epoch"}, "LambdaLR"),
    ("inverse_time", {"decay_rate": 0.5, "decay_steps": 9, "staircase": True}, "LambdaLR"),
    ("inv", {"gamma": 0.1, "power": 0.75}, "LambdaLR"),
    ("cosine_restarts", {"cycles": 3, "mult": 1, "floor": 0.1}, "CosineAnnealingWarmRestarts(optimizer, T_0=20, T_mult=1, eta_min=0.03)"),
    ("cosine_restarts", {"cycles": 4, "mult": 2.0}, "CosineAnnealingWarmRestarts(optimizer, T_0=4, T_mult=2, eta_min=0.0)"),
    ("cosine_restarts", {"cycles": 1, "mult": 2}, "CosineAnnealingWarmRestarts(optimizer, T_0=60, T_mult=2, eta_min=0.0)"),
    ("cosine_restarts", {"cycles": 1, "mult": 2, "decay": 0.5, "floor": 0.2}, "LambdaLR"),
    ("cosine_restarts", {"cycles": 9, "mult": 1, "floor": 0.1}, "LambdaLR"),
    ("cosine_restarts", {"cycles": 3, "mult": 2, "decay": 0.5}, "in [9, 26])"),
    ("cosine_restarts", {"cycles": 3, "mult": 1.5, "floor": 0.1}, "in [13, 32])"),
    ("cosine_restarts", {"cycles": 3, "mult": 1, "decay": 0.5, "warmup": 6}, "LambdaLR"),
    ("one_cycle", {"pct": 0.3}, "OneCycleLR("),
    ("one_cycle", {"pct": 0.41, "shape": "linear", "div": 10, "final_div": 50}, "total_steps=61"),
    ("one_cycle", {"pct": 0.21, "phases": 3}, "three_phase=True"),
    ("one_cycle", {"pct": 0.5, "phases": 3, "shape": "linear"}, "three_phase=True"),
    ("one_cycle", {"pct": 0.3, "phases": 3, "pct_down": 0.85, "shape": "linear"}, "LambdaLR"),
    ("one_cycle", {"pct": 0.3, "phases": 3, "pct_down": 1.0}, "LambdaLR"),
    ("one_cycle", {"pct": 0.3, "warmup": 7}, "LambdaLR"),
    ("one_cycle", {"pct": 0.5, "phases": 3, "shape": "linear", "warmup": 7}, "LambdaLR"),
    ("triangular", {"cycles": 3, "low": 0.1}, 'CyclicLR(optimizer, base_lr=0.03, max_lr=0.3, step_size_up=10, mode="triangular", cycle_momentum=False)'),
    ("triangular", {"cycles": 2, "low": 0.1, "gamma": 0.99}, 'mode="exp_range", gamma=0.99, cycle_momentum=False)'),
    ("triangular", {"cycles": 5, "low": 0.1, "gamma": 0.5, "per": "cycle"}, 'mode="triangular2", cycle_momentum=False)'),
    ("triangular", {"cycles": 5, "low": 0.1, "gamma": 0.7, "per": "cycle"}, "LambdaLR"),
    ("triangular", {"cycles": 4, "low": 0.0, "gamma": 0.99}, "LambdaLR"),
    ("triangular", {"cycles": 3, "low": 0.1, "warmup": 5}, "LambdaLR"),
    ("wsd", {"decay_fraction": 0.2, "shape": "sqrt"}, "LambdaLR"),
    ("wsd", {"decay_fraction": 1, "warmup": 6}, "LambdaLR"),
    ("rex", {}, "LambdaLR"),
    ("inverse_sqrt", {"timescale": 4}, "LambdaLR"),
    ("noam", {"warmup_steps": 6}, "LambdaLR"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 1, "min_scale": 0.1}, "ReduceLROnPlateau"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 0, "cooldown": 0, "signal": "held_out", "threshold_mode": "abs"}, "scheduler.step(held_out_loss)"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 0, "convention": "keras"}, "TorchScheduler"),
    ("exp_loss", {"gain": 0.5, "signal": "ema", "warmup": 7}, 'SCHEDULES["exp_loss"](gain=0.5, signal="ema", warmup=7)'),
    ("exp_loss", {"gain": 0.5, "signal": "epoch"}, "scheduler.observe(train_loss)"),
    ("exp_loss_relative", {"gain": 0.5}, 'SCHEDULES["exp_loss_relative"](gain=0.5)'),
    ("loss_ratio", {"power": 0.5, "floor": 0.1, "signal": "held_out"}, "scheduler.observe(held_out_loss)"),
    ("bold_driver", {"up": 1.05, "down": 0.5}, 'SCHEDULES["bold_driver"](up=1.05, down=0.5)'),
    ("greedy_lr", {"factor": 0.7, "patience": 0, "signal": "batch"}, "scheduler.observe(loss)"),
    ("greedy_lr", {"factor": 0.7, "smoothing": 0.5, "cooldown": 1}, "scheduler.observe(train_loss)"),
    ("polyak", {"c": 0.5, "smoothing": False}, "scheduler.observe(loss)"),
    ("alig", {}, 'SCHEDULES["alig"]()'),
    ("l4", {"alpha": 0.1}, 'SCHEDULES["l4"](alpha=0.1)'),
    ("hypergradient", {"beta": 1e-4, "warmup": 6}, 'SCHEDULES["hypergradient"](beta=0.0001, warmup=6)'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "says"), EXACT)
def test_the_scheduler_is_torch_s_own_where_that_is_exact(kind, given, says):
    code = check(SCHEDULES[kind](**given))
    assert says in on_one_line(code)
    assert ("decaybench.schedules" in code) == ("TorchScheduler" in code)


@pytest.mark.parametrize("kind", ["polyak", "alig"])
def test_gradients_are_read_from_an_sgd_with_keras_velocity_too(kind):
    assert "KerasSGD" in check(draw(kind, 0, T, N), velocity="keras")


OPTIMIZERS = [
    {"momentum": 0.8},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    {"momentum": 0.8, "velocity": "keras"},
    {"momentum": 0.8, "velocity": "keras", "nesterov": True, "weight_decay": 0.01},
    {"momentum": 0.0, "velocity": "keras", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "velocity": "keras", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "optimizer": "adam", "weight_decay": 0.01},
    {"momentum": 0.8, "optimizer": "adamw", "weight_decay": 0.01},
    {"momentum": 0.8, "optimizer": "adamw", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "optimizer": "schedule-free", "weight_decay": 0.01},
    {"momentum": 0.8, "optimizer": "schedule-free", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "optimizer": "prodigy", "weight_decay": 0.01},
]
PACKAGES = {"schedule-free": "schedulefree", "prodigy": "prodigyopt"}


@pytest.mark.parametrize("given", OPTIMIZERS, ids=str)
def test_the_optimizer_makes_the_same_steps(given):
    if given.get("optimizer") in PACKAGES:
        pytest.importorskip(PACKAGES[given["optimizer"]])
    code = write(setting(SCHEDULES["exponential"](decay_rate=0.5, decay_steps=2), 20, N, **given))
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2, dtype=torch.float64)
    space = {"model": model}
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    exec(compile(code, "code", "exec"), space)
    form = OptimizerForm(given.get("optimizer", "sgd"), given.get("nesterov", False), given.get("velocity", "torch"))
    weights_only = not given.get("decay_biases", True)
    parameters = start.clone()[None]
    ours = Chained(
        form,
        parameters,
        momentum=torch.tensor([given["momentum"]], dtype=torch.float64),
        weight_decay=torch.tensor([given.get("weight_decay", 0.0)], dtype=torch.float64),
        decays=torch.tensor([1.0] * 6 + [0.0 if weights_only else 1.0] * 2, dtype=torch.float64),
    )
    optimizer = space["optimizer"]
    train, look = (getattr(optimizer, name, lambda: None) for name in ("train", "eval"))
    train()
    for t in range(20):
        gradient = torch.randn(1, 8, dtype=torch.float64)
        model.weight.grad, model.bias.grad = gradient[0, :6].view(2, 3).clone(), gradient[0, 6:].clone()
        optimizer.step()
        space["scheduler"].step()
        rate = torch.tensor([LEARNING_RATE * 0.5 ** (t / 2)], dtype=torch.float64)
        ours.update(gradient, rate)
    look()
    now = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(now, ours.weights()[0], rtol=1e-9, atol=1e-12)
    assert ("KerasSGD" in code) == (given.get("velocity") == "keras" and given["momentum"] > 0)


BASE = {"momentum": 0.8, "weight_decay": 0.01, "learning_rate": 0.05}
FULLY = {"optimizer": "adamw", "decay_biases": False, "clip_norm": 0.5, "label_smoothing": 0.1, "learning_rate": 0.002}
LOOPS = [
    ("cosine", {"floor": 0}, {"clip_norm": 0.5}),
    ("cosine", {"floor": 0}, {"label_smoothing": 0.1}),
    ("cosine", {"floor": 0}, {"average": {"ema": 0.9}}),
    ("cosine", {"floor": 0}, {"average": {"last": 2}}),
    ("cosine", {"floor": 0}, {**FULLY, "average": {"ema": 0.9}}),
    ("cosine", {"floor": 0}, {"augment": ["crop1", "flip", "cutout2"]}),
    ("exp_loss", {"gain": 0.1}, {"augment": ["cutout2"], "label_smoothing": 0.1}),
    ("polyak", {"c": 0.5}, {"clip_norm": 0.5, "learning_rate": 0.1}),
    ("exp_loss", {"gain": 0.1}, {**FULLY, "average": {"last": 2}}),
    ("exp_loss", {"gain": 0.1, "signal": "epoch"}, {"label_smoothing": 0.1}),
    ("exp_loss", {"gain": 0.1, "signal": "held_out"}, {"average": {"last": 2}}),
    ("exp_loss", {"gain": 0.1, "signal": "held_out"}, {"average": {"ema": 0.9}}),
]


@pytest.mark.parametrize(("kind", "fields", "given"), LOOPS, ids=str)
def test_the_training_loop_has_the_results_of_a_run(few, kind, fields, given):
    """The whole program, with the loop of its comments, on a run's own batches and draws of its augmentation."""
    size, epochs, seed = 16, 4, 3
    steps = len(few.train) // size
    made = setting(SCHEDULES[kind](**fields), steps * epochs, steps, precision="fp64", batch_size=size, **BASE | given)
    own = made.parameters
    run = Run(seed, own.schedule, own.learning_rate, own.momentum, own.weight_decay)
    (result,) = train(recipe(made.sweep.task, made.arm.form, epochs), [run], few, device=torch.device("cpu"))
    augment, draws = made.augment, []

    def inputs(images):
        return normalise(images, few.mean, few.std, torch.float64)

    class Batches:
        epoch = 0

        def __iter__(self):
            order = batch_order(seed, self.epoch, len(few.train))
            self.epoch += 1
            drawn = draw_augmentation(augment, seed, self.epoch - 1, len(few.train), few.shape[1:]) if augment else None
            for chosen in order[: steps * size].split(size):
                if augment:
                    draws.append(drawn[chosen])
                images = few.train.images[chosen]
                yield images if needs_pixels(augment) else inputs(images), few.train.labels[chosen]

    def changed(first, each):
        """The kind's function, with the draws of the last batch from column ``first`` on."""
        columns = slice(first, first + len(each.bounds(*few.shape[1:])))
        return lambda images: each.apply(images[:, None], draws[-1][:, None, columns].long())[:, 0]

    def evaluate(model, examples):
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(inputs(examples.images)), examples.labels))

    code, cross_entropy = write(made), torch.nn.functional.cross_entropy
    model = models.build("small-cnn", few.shape, few.classes, seed).double()
    space = {"model": model, "loss_function": cross_entropy, "held_out": few.signal, "evaluate": evaluate}
    exec(compile(code, "code", "exec"), space)
    first = 0
    for each in augment:
        assert callable(space[each.kind])
        space[each.kind] = changed(first, each)
        first += len(each.bounds(*few.shape[1:]))
    exec(compile(loop_of(code), "loop", "exec"), space | {"batches": Batches(), "normalise": inputs})
    evaluated = space.get("averaged", model)
    assert evaluate(evaluated, few.validation) == pytest.approx(result.validation["loss"], abs=1e-10)
    assert (evaluated is model) == ("average" not in given)


@pytest.mark.parametrize("kind", ["l4", "hypergradient"])
def test_rules_that_look_along_clipped_gradients_are_refused(kind):
    with pytest.raises(UserError, match=f"^--format: {kind} cannot observe grad_dot_.* are clipped; use toml$"):
        write(setting(draw(kind, 0, T, N), T, N, clip_norm=1.0))


OTHERS = [
    ("schedule-free", "SGDScheduleFree(model.parameters(), lr=0.3, momentum=0.9, weight_decay=0.01)"),
    ("prodigy", "Prodigy(model.parameters(), lr=0.3, betas=(0.9, 0.999), decouple=False, weight_decay=0.01)"),
]


@pytest.mark.parametrize(("optimizer", "made"), OTHERS)
def test_the_optimizers_of_other_packages(optimizer, made):
    code = write(setting(SCHEDULES["constant"](), T, N, optimizer=optimizer, weight_decay=0.01))
    package = PACKAGES[optimizer]
    assert f"from {package} import {made.partition('(')[0]}  # pip install {package}\n" in code
    assert f"optimizer = {made}\n" in on_one_line(code)
    switches = [line.split("  #")[0] for line in loop_of(code).splitlines() if "train()" in line or "eval()" in line]
    assert switches == (["    optimizer.train()", "    optimizer.eval()"] if optimizer == "schedule-free" else [])


@pytest.mark.parametrize("optimizer", PACKAGES)
def test_their_training_loops_run(optimizer):
    pytest.importorskip(PACKAGES[optimizer])
    check(SCHEDULES["reduce_on_plateau"](0.5, 1, cooldown=0, signal="held_out"), optimizer=optimizer)


def test_the_head_says_what_it_is():
    task = {"label": "stairs", "epochs": 12, "batch_size": "full", "dropout": 0.5, "model": "lenet"}
    code = write(setting(SCHEDULES["cosine"](floor=0), 12, 1, **task, clip_norm=1.0, average={"last": 3}))
    assert code.startswith("# stairs (cosine) of the sweep made: repeat 1, trial 2.\n# Found by a test.\n")
    assert "digits, lenet, dropout 0.5, batch gradient descent: 12 epochs of 1 update." in code
    assert "# Trained with gradients clipped to norm 1, weights averaged (mean of the last 3 epochs).\n" in code
