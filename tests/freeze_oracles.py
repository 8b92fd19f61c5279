# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "optax==0.2.8",
#   "prodigyopt==1.1.2",
#   "schedulefree==1.4.1",
#   "timm==1.0.31",
#   "torch==2.13.0",
#   "transformers==5.23.0",
# ]
# ///
"""Run timm, transformers, optax, schedulefree and prodigyopt, and write what they give: tests/data/oracles.json.

``python tests/freeze_oracles.py FILE`` writes it; with ``--compare FILE`` it writes nothing, and fails if what the
libraries give differs from the file beyond a relative 1e-9 (``nox -s oracles``). All of it is float64.
"""

import importlib.machinery
import importlib.util
import json
import math
import random
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

LIBRARIES = ("timm", "transformers", "optax", "schedulefree", "prodigyopt", "torch", "jax")
BASE = 0.3


def row(name, n, **params):
    """A library's function by name, with parameters of its own, and how many values of it."""
    return name, n, params


# A warmup of timm's is followed by its schedule's start only with warmup_prefix: without, by its middle. Its
# MultiStepLRScheduler drops an epoch before decay_t.
TIMM = [
    row("CosineLRScheduler", 50, t_initial=40, lr_min=0.03),
    row("CosineLRScheduler", 52, t_initial=40, warmup_t=7, warmup_prefix=True),
    row("CosineLRScheduler", 40, t_initial=12, cycle_limit=3),
    row("CosineLRScheduler", 60, t_initial=8, cycle_mul=2.0, cycle_limit=3, cycle_decay=0.7),
    row("CosineLRScheduler", 40, t_initial=12, cycle_limit=3, lr_min=0.03),
    row("StepLRScheduler", 40, decay_t=7, decay_rate=0.4),
    row("StepLRScheduler", 40, decay_t=7, decay_rate=0.4, warmup_t=5),
    row("MultiStepLRScheduler", 40, decay_t=[6, 20, 31], decay_rate=0.2),
    row("PolyLRScheduler", 50, t_initial=40, power=1.7, lr_min=0.03),
    row("PolyLRScheduler", 50, t_initial=40, power=0.5, warmup_t=6, warmup_prefix=True),
    row("WSDLRScheduler", 50, t_initial=40, decay_t=10, decay_fn="linear", warmup_t=5),
    row("WSDLRScheduler", 50, t_initial=40, decay_t=16, decay_fn="1-sqrt"),
    row("WSDLRScheduler", 40, t_initial=40, decay_t=1, stable_fn="rsqrt", stable_timescale=6),
]
RUN = {"num_warmup_steps": 6, "num_training_steps": 40}
TRANSFORMERS = [
    row("get_constant_schedule_with_warmup", 12, num_warmup_steps=6),
    row("get_linear_schedule_with_warmup", 44, **RUN),
    row("get_cosine_schedule_with_warmup", 41, **RUN),
    row("get_cosine_with_min_lr_schedule_with_warmup", 41, **RUN, min_lr_rate=0.1),
    # This one is an update ahead of the others, in its warmup as in its cosine.
    row("get_cosine_with_min_lr_schedule_with_warmup_lr_rate", 40, **RUN, min_lr_rate=0.1),
    row(
        "get_cosine_with_hard_restarts_schedule_with_warmup",
        44,
        num_warmup_steps=4,
        num_training_steps=40,
        num_cycles=3,
    ),
    row("get_polynomial_decay_schedule_with_warmup", 44, **RUN, lr_end=0.03, power=2.3),
    row("get_inverse_sqrt_schedule", 40, num_warmup_steps=8),
    row("get_inverse_sqrt_schedule", 40, num_warmup_steps=0, timescale=5),
    row("get_wsd_schedule", 44, **RUN, num_decay_steps=10, decay_type="linear"),
    row("get_wsd_schedule", 44, num_warmup_steps=0, num_training_steps=40, num_decay_steps=16, decay_type="1-sqrt"),
]
SGDR = [
    {"init_value": peak, "peak_value": peak, "warmup_steps": 0, "decay_steps": steps, "end_value": 0.0}
    for peak, steps in [(BASE, 8), (BASE * 0.7, 16), (BASE * 0.49, 32)]
]
CYCLE, WARM = {"transition_steps": 40, "peak_value": BASE}, {"init_value": 0.0, "peak_value": BASE}
OPTAX = [
    row("constant_schedule", 5, value=BASE),
    row("warmup_constant_schedule", 12, **WARM, warmup_steps=6),
    row("cosine_decay_schedule", 50, init_value=BASE, decay_steps=40, alpha=0.1),
    row("warmup_cosine_decay_schedule", 50, **WARM, warmup_steps=6, decay_steps=40, end_value=0.03),
    row("exponential_decay", 40, init_value=BASE, transition_steps=7, decay_rate=0.6),
    row("exponential_decay", 40, init_value=BASE, transition_steps=7, decay_rate=0.6, staircase=True),
    row("warmup_exponential_decay_schedule", 40, **WARM, warmup_steps=5, transition_steps=9, decay_rate=0.5),
    row("polynomial_schedule", 50, init_value=BASE, end_value=0.03, power=2.3, transition_steps=40),
    row("linear_schedule", 50, init_value=BASE, end_value=0.06, transition_steps=40),
    row("piecewise_constant_schedule", 40, init_value=BASE, boundaries_and_scales={6: 0.5, 20: 0.1}),
    row("cosine_onecycle_schedule", 50, **CYCLE),
    row("cosine_onecycle_schedule", 50, **CYCLE, pct_start=0.45, div_factor=10.0, final_div_factor=100.0),
    row("linear_onecycle_schedule", 50, **CYCLE),
    row("linear_onecycle_schedule", 50, **CYCLE, pct_start=0.2, pct_final=0.5, div_factor=10.0, final_div_factor=100.0),
    row("sgdr_schedule", 60, cosine_kwargs=SGDR),
]
# Rates outlive a loss that is no number: the one at epoch 30 is NaN, the next infinite.
LOSSES = {
    "noisy": [round(2.0 * 0.97**e * random.Random(e).uniform(0.8, 1.2), 4) for e in range(80)],
    "steps": [round(2.0 - 0.05 * (e // 5) + 0.2 * (e % 23 == 7), 4) for e in range(80)],
    "falling": [round(2.0 * 0.93**e, 6) for e in range(80)],
}
LOSSES["broken"] = [*LOSSES["noisy"][:30], math.nan, math.inf, *LOSSES["noisy"][32:]]
GREEDY = [  # its base learning rate, its parameters, its losses
    (0.1, {"factor": 0.9, "patience": 0, "min_lr": 1e-3, "max_lr": 1.0}, "noisy"),
    (0.1, {"factor": 0.8, "patience": 2, "min_lr": 0.02, "max_lr": 0.2}, "noisy"),
    (0.1, {"factor": 0.5, "patience": 1, "cooldown": 3, "min_lr": 1e-4, "max_lr": 1.0}, "steps"),
    (0.1, {"factor": 0.7, "patience": 0, "warmup": 4, "min_lr": 1e-3, "max_lr": 2.0}, "falling"),
    (0.1, {"factor": 0.6, "patience": 0, "warmup": 2, "cooldown": 1, "min_lr": 1e-3, "max_lr": 0.5}, "steps"),
    (0.1, {"factor": 0.9, "patience": 1, "threshold": 0.1, "min_lr": 1e-3, "max_lr": 1.0}, "noisy"),
    (0.1, {"factor": 0.8, "patience": 0, "min_lr": 1e-3, "max_lr": 1.0}, "broken"),
    (1e-7, {"factor": 0.7, "patience": 0, "min_lr": 1e-9, "max_lr": 1.05e-7}, "noisy"),  # moves below 1e-8 are not made
]
PLATEAU_TIMM = [
    (BASE, {"decay_rate": 0.5, "patience_t": 2, "cooldown_t": 0, "lr_min": 0.003}, "noisy"),
    (BASE, {"decay_rate": 0.3, "patience_t": 1, "threshold": 0.05, "cooldown_t": 2}, "noisy"),
]
PLATEAU_OPTAX = [  # which cuts AT patience
    (BASE, {"factor": 0.5, "patience": 3, "rtol": 1e-4, "cooldown": 0, "min_scale": 0.01}, "noisy"),
    (BASE, {"factor": 0.3, "patience": 2, "rtol": 0.05, "cooldown": 2, "min_scale": 1e-4}, "noisy"),
]
CURVATURE, START = [0.3, 1.0, 2.5, 7.0], [1.5, -2.0, 0.7, -0.3]
UPDATES, EVERY = 120, 6
# "lr" is a number, or [first, last] for a learning rate on a straight line between them.
SCHEDULE_FREE = [
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
    {"lr": 0.2, "momentum": 0.5, "weight_decay": 0.01},
    {"lr": 0.02, "momentum": 0.98, "weight_decay": 0.1},
    {"lr": [0.0, 0.15], "momentum": 0.8, "weight_decay": 0.0},
    {"lr": [0.15, 0.0], "momentum": 0.9, "weight_decay": 0.001},
]
PRODIGY = [  # with momentum 0 the package takes d where the paper, and it with any other momentum, takes the d before
    {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0},
    {"lr": 0.5, "momentum": 0.8, "weight_decay": 0.01},
    {"lr": 2.0, "momentum": 0.95, "weight_decay": 0.1},
    {"lr": [1.0, 0.0], "momentum": 0.9, "weight_decay": 0.0},
    {"lr": 1.0, "momentum": 0.2, "weight_decay": 0.001},
]


def sgd(lr):
    import torch

    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def timm_schedulers() -> ModuleType:
    """timm's package of schedulers, without timm's own __init__: that loads torchvision and every model."""
    spec = importlib.machinery.PathFinder.find_spec("timm")
    sys.modules.setdefault("timm", importlib.util.module_from_spec(spec))
    return importlib.import_module("timm.scheduler")


def by_timm(name, n, params):
    optimizer = sgd(BASE)
    scheduler = getattr(timm_schedulers(), name)(optimizer, **params)
    rates = []
    for t in range(n):
        scheduler.step(t)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def by_transformers(name, n, params):
    from transformers import optimization

    optimizer = sgd(BASE)
    scheduler = getattr(optimization, name)(optimizer, **params)
    rates = []
    for _ in range(n):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def by_optax(name, n, params):
    import optax

    schedule = getattr(optax, name)(**params)
    return [float(schedule(t)) for t in range(n)]


def greedy(base, params, losses):
    from transformers.optimization import GreedyLR

    optimizer = sgd(base)
    scheduler = GreedyLR(optimizer, **params)
    return [during(optimizer, scheduler.step, loss) for loss in losses]


def plateau_of_timm(base, params, losses):
    optimizer = sgd(base)
    scheduler = timm_schedulers().PlateauLRScheduler(optimizer, mode="min", **params)
    return [during(optimizer, scheduler.step, epoch, loss) for epoch, loss in enumerate(losses, 1)]


def during(optimizer, step, *shown):
    """The learning rate of the epoch at whose end ``step`` is shown its loss."""
    rate = optimizer.param_groups[0]["lr"]
    step(*shown)
    return rate


def plateau_of_optax(base, params, losses):
    import jax.numpy as jnp
    from optax.contrib import reduce_on_plateau

    rule = reduce_on_plateau(**params)
    state, rates = rule.init(jnp.ones(1)), []
    for loss in losses:
        rates.append(base * float(state.scale))
        _, state = rule.update(jnp.ones(1), state, value=loss)
    return rates


def trajectory(rule_of, params):
    """The weights after every EVERY-th update on f(w) = sum(a w^2) / 2, and those that are evaluated."""
    import torch

    curvature = torch.tensor(CURVATURE, dtype=torch.float64)
    w = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    first, last = params["lr"] if isinstance(params["lr"], list) else (params["lr"], params["lr"])
    rule, trained, evaluated = rule_of(w, params), [], []
    averages = hasattr(rule, "eval")
    for t in range(UPDATES):
        if averages:
            rule.train()
        rule.param_groups[0]["lr"] = first + (last - first) * t / UPDATES
        w.grad = curvature * w.detach()
        rule.step()
        if (t + 1) % EVERY == 0:
            trained.append(w.tolist())
            if averages:
                rule.eval()
            evaluated.append(w.tolist())
    return {"params": params, "trained": trained, "evaluated": evaluated}


def schedule_free(w, params):
    from schedulefree import SGDScheduleFree

    return SGDScheduleFree([w], momentum=params["momentum"], weight_decay=params["weight_decay"])


def prodigy(w, params):
    from prodigyopt import Prodigy

    betas = (params["momentum"], 0.999)
    return Prodigy([w], betas=betas, weight_decay=params["weight_decay"], decouple=False)


def freeze():
    import jax

    jax.config.update("jax_enable_x64", True)
    warnings.filterwarnings("ignore", category=FutureWarning)  # timm's plateau is on its way out
    schedules = [
        {"source": f"{library}.{name}", "params": params, "base": BASE, "lr": rates(name, n, params)}
        for library, rates, table in (
            ("timm.scheduler", by_timm, TIMM),
            ("transformers.optimization", by_transformers, TRANSFORMERS),
            ("optax", by_optax, OPTAX),
        )
        for name, n, params in table
    ]
    schedules += [
        {"source": name, "params": params, "base": base, "losses": losses, "lr": rates(base, params, LOSSES[losses])}
        for name, rates, table in (
            ("transformers.optimization.GreedyLR", greedy, GREEDY),
            ("timm.scheduler.PlateauLRScheduler", plateau_of_timm, PLATEAU_TIMM),
            ("optax.contrib.reduce_on_plateau", plateau_of_optax, PLATEAU_OPTAX),
        )
        for base, params, losses in table
    ]
    frozen = {
        "versions": {name: version(name).partition("+")[0] for name in LIBRARIES},
        "losses": LOSSES,
        "schedules": schedules,
        "quadratic": {"curvature": CURVATURE, "start": START, "updates": UPDATES, "every": EVERY},
        "schedule-free": [trajectory(schedule_free, params) for params in SCHEDULE_FREE],
        "prodigy": [trajectory(prodigy, params) for params in PRODIGY],
    }
    return rounded(frozen)


def rounded(value):
    """With floats at 14 digits."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.14g}") if isinstance(value, float) else value


def as_text(frozen):
    """JSON, an entry a line."""

    def compact(value):
        return json.dumps(value, separators=(",", ":"))

    def lines(value):
        return "[\n  " + ",\n  ".join(map(compact, value)) + "\n ]" if isinstance(value, list) else compact(value)

    return "{\n" + ",\n".join(f' "{key}": {lines(value)}' for key, value in frozen.items()) + "\n}\n"


def differences(given, committed, where=""):
    """A line for each place where the two differ beyond a relative 1e-9 (below 1e-6, an absolute 1e-15)."""
    if isinstance(given, dict) and isinstance(committed, dict) and given.keys() == committed.keys():
        return [line for key in given for line in differences(given[key], committed[key], f"{where}.{key}")]
    if isinstance(given, list) and isinstance(committed, list) and len(given) == len(committed):
        pairs = enumerate(zip(given, committed, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{where}[{i}]")]
    same = given == committed or (given != given and committed != committed)  # NaN
    if not same and isinstance(given, float) and isinstance(committed, float):
        same = math.isclose(given, committed, rel_tol=1e-9, abs_tol=1e-15)
    return [] if same else [f"{where}: {given!r}, committed {committed!r}"]


def main(freeze, *arguments):
    """Write what ``freeze()`` gives to a file, or with --compare hold a file to it; returns the exit code."""
    frozen = freeze()
    if arguments[0] != "--compare":
        Path(arguments[0]).write_text(as_text(frozen))
        return 0
    committed = json.loads(Path(arguments[1]).read_text())
    lines = [line for key in frozen if key != "versions" for line in differences(frozen[key], committed.get(key), key)]
    print("\n".join(lines[:20]) or f"{arguments[1]} is what the libraries give")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(freeze, *sys.argv[1:]))
