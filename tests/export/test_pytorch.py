"""The PyTorch code is run, trained with as its comments say, and has the learning rates of ``trace``."""

import pytest
import torch

from decaybench.export.pytorch import SCHEDULERS, write
from decaybench.schedules import SCHEDULES, Schedule, trace
from decaybench.training.optimizer import Optimizer, OptimizerForm
from export.settings import LEARNING_RATE, setting
from schedules.samples import draw, losses

T, N = 60, 5  # updates, and updates an epoch


def loop_of(code: str) -> str:
    """The training loop, which the code has as comments."""
    lines = code[code.index("# The training loop:\n") :].splitlines()[1:]
    return "\n".join(line.removeprefix("# ") for line in lines)


def rates_of(code: str, values: list[float] | None, per_epoch: bool) -> list[float]:
    """The learning rates of a training by ``code`` on a model whose losses are ``values``."""
    model = torch.nn.Linear(1, 1, dtype=torch.float64)
    rates: list[float] = []

    def loss_function(output: torch.Tensor, labels: object) -> torch.Tensor:
        t = len(rates)
        value = 0.0 if values is None else values[t // N if per_epoch else t]
        return 0.0 * output.sum() + value

    space = {
        "model": model,
        "batches": [(torch.zeros(1, 1, dtype=torch.float64), None)] * N,
        "loss_function": loss_function,
        "held_out": None,
        "evaluate": lambda model, examples: values[len(rates) // N - 1],
    }
    exec(compile(code, "code", "exec"), space)
    space["optimizer"].register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    exec(compile(loop_of(code), "loop", "exec"), space)
    return rates


def check(schedule: Schedule, seed: int = 0) -> str:
    code = write(setting(schedule, T, N))
    values = losses(schedule, seed, T, N)
    rates = rates_of(code, values, getattr(schedule, "when", "update") == "epoch")
    expected = LEARNING_RATE * trace(schedule, T, N, values, base_lr=LEARNING_RATE)
    assert rates == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-15)
    return code


def test_every_kind_has_its_way():
    ours = {kind for kind, cls in SCHEDULES.items() if cls.__module__.startswith("decaybench.")}
    assert set(SCHEDULERS) == ours


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("seed", range(8))
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
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 1, "min_scale": 0.1}, "ReduceLROnPlateau"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 0, "cooldown": 0, "signal": "held_out", "threshold_mode": "abs"}, "scheduler.step(held_out_loss)"),
    ("reduce_on_plateau", {"factor": 0.5, "patience": 1, "cooldown": 0, "convention": "keras"}, "TorchScheduler"),
    ("exp_loss", {"gain": 0.5, "signal": "ema", "warmup": 7}, 'SCHEDULES["exp_loss"](gain=0.5, signal="ema", warmup=7)'),
    ("exp_loss", {"gain": 0.5, "signal": "epoch"}, "scheduler.observe(train_loss)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "says"), EXACT)
def test_the_scheduler_is_torch_s_own_where_that_is_exact(kind, given, says):
    code = check(SCHEDULES[kind](**given))
    assert says in code
    assert ("decaybench.schedules" in code) == ("TorchScheduler" in code)


def test_a_kind_of_another_package_is_left_to_decaybench(monkeypatch):
    for kind in ("cosine", "exp_loss", "reduce_on_plateau"):
        monkeypatch.setattr("decaybench.export.pytorch.SCHEDULERS", {})
        assert "TorchScheduler" in check(draw(kind, 1, T, N), 1)


OPTIMIZERS = [
    {"momentum": 0.8},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    {"momentum": 0.8, "velocity": "keras"},
    {"momentum": 0.8, "velocity": "keras", "nesterov": True, "weight_decay": 0.01},
    {"momentum": 0.0, "velocity": "keras", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "velocity": "keras", "weight_decay": 0.01, "decay_biases": False},
    {"momentum": 0.8, "optimizer": "adam", "weight_decay": 0.01},
]


@pytest.mark.parametrize("given", OPTIMIZERS, ids=str)
def test_the_optimizer_makes_the_same_steps(given):
    code = write(setting(SCHEDULES["exponential"](decay_rate=0.5, decay_steps=2), 20, N, **given))
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2, dtype=torch.float64)
    space = {"model": model}
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    exec(compile(code, "code", "exec"), space)
    form = OptimizerForm(given.get("optimizer", "sgd"), given.get("nesterov", False), given.get("velocity", "torch"))
    weights_only = not given.get("decay_biases", True)
    ours = Optimizer(
        form,
        torch.tensor([given["momentum"]], dtype=torch.float64),
        torch.tensor([given.get("weight_decay", 0.0)], dtype=torch.float64),
        torch.tensor([1.0] * 6 + [0.0 if weights_only else 1.0] * 2, dtype=torch.float64),
    )
    parameters = start.clone()[None]
    for t in range(20):
        gradient = torch.randn(1, 8, dtype=torch.float64)
        model.weight.grad, model.bias.grad = gradient[0, :6].view(2, 3).clone(), gradient[0, 6:].clone()
        space["optimizer"].step()
        space["scheduler"].step()
        ours.step(parameters, gradient, torch.tensor([LEARNING_RATE * 0.5 ** (t / 2)], dtype=torch.float64))
    now = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(now, parameters[0], rtol=1e-9, atol=1e-12)
    assert ("KerasSGD" in code) == (given.get("velocity") == "keras" and given["momentum"] > 0)


def test_the_head_says_what_it_is():
    task = {"label": "stairs", "epochs": 12, "batch_size": "full", "dropout": 0.5, "model": "lenet"}
    code = write(setting(SCHEDULES["cosine"](floor=0), 12, 1, **task))
    assert code.startswith("# stairs (cosine) of the sweep made: repeat 1, slot 2.\n# Found by a test.\n")
    assert "digits, lenet, dropout 0.5, batch gradient descent: 12 epochs of 1 update." in code
