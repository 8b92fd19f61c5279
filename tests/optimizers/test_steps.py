"""Updates against the frameworks and packages they are named after (data/frameworks.json, data/oracles.json)."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from chained import Chained
from decaybench.optimizers import OPTIMIZERS, OptimizerForm
from decaybench.schedules import SCHEDULES, trace
from decaybench.schedules.base import PRODUCTS

DATA = Path(__file__).parents[1] / "data"
FROZEN = json.loads((DATA / "frameworks.json").read_text())
ORACLES = json.loads((DATA / "oracles.json").read_text())


@pytest.mark.parametrize("case", FROZEN["sgd"], ids=lambda c: json.dumps(c["params"]))
def test_keras_sgd_trajectories(case):
    """Keras' legacy SGD, weights in float64, its hyperparameters held in float32."""
    lr, momentum, decay = (float(np.float32(case["params"][key])) for key in ("lr", "momentum", "decay"))
    updates = len(case["lr"])
    scales = trace(SCHEDULES["time_based"](decay=decay), total_steps=updates, steps_per_epoch=updates)
    a = torch.tensor(case["a"], dtype=torch.float64)
    w = torch.tensor([case["w"][0]], dtype=torch.float64)
    optimizer = Chained(
        OptimizerForm(nesterov=case["params"]["nesterov"], velocity="keras"),
        w,
        momentum=torch.tensor([momentum], dtype=torch.float64),
        weight_decay=torch.zeros(1, dtype=torch.float64),
        decays=torch.ones(3, dtype=torch.float64),
    )
    for i, scale in enumerate(scales):
        np.testing.assert_allclose(w[0], case["w"][i], rtol=0, atol=1e-12)
        assert lr * float(scale) == pytest.approx(case["lr"][i], rel=1e-7)  # frozen nominally, not in float32
        optimizer.update(a * w, torch.tensor([lr * float(scale)], dtype=torch.float64))
    np.testing.assert_allclose(w[0], case["w"][updates], rtol=0, atol=1e-12)


FORMS = [
    OptimizerForm(),
    OptimizerForm(nesterov=True),
    OptimizerForm("adam"),
    OptimizerForm("adamw"),
]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_k_runs_equal_torchs_optimizers(form):
    """Five runs on quadratics of their own, learning rate changing, beside torch.optim one by one."""
    k, p, updates = 5, 7, 60
    rng = torch.Generator().manual_seed(1)
    curvature = torch.rand(k, p, generator=rng, dtype=torch.float64) + 0.2
    start = torch.randn(k, p, generator=rng, dtype=torch.float64)
    momentum = torch.tensor([0.1, 0.5, 0.8, 0.9, 0.95], dtype=torch.float64)
    decay = torch.tensor([0.0, 1e-3, 0.0, 1e-2, 0.1], dtype=torch.float64)
    rates = 0.05 * torch.rand(updates, k, generator=rng, dtype=torch.float64)
    decays = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0], dtype=torch.float64)

    w = start.clone()
    ours = Chained(form, w, momentum=momentum, weight_decay=decay, decays=decays)
    for t in range(updates):
        ours.update(curvature * w, rates[t])

    for i in range(k):
        decaying = torch.nn.Parameter(start[i, decays == 1].clone())
        free = torch.nn.Parameter(start[i, decays == 0].clone())
        groups = [
            {"params": [decaying], "weight_decay": float(decay[i])},
            {"params": [free], "weight_decay": 0.0},
        ]
        if form.kind in ("adam", "adamw"):
            made = torch.optim.Adam if form.kind == "adam" else torch.optim.AdamW
            theirs = made(groups, lr=1.0, betas=(float(momentum[i]), 0.999))
        else:
            theirs = torch.optim.SGD(groups, lr=1.0, momentum=float(momentum[i]), nesterov=form.nesterov)
        for t in range(updates):
            for group in theirs.param_groups:
                group["lr"] = float(rates[t, i])
            decaying.grad = curvature[i, decays == 1] * decaying.detach()
            free.grad = curvature[i, decays == 0] * free.detach()
            theirs.step()
        torch.testing.assert_close(w[i, decays == 1], decaying.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(w[i, decays == 0], free.detach(), rtol=1e-12, atol=1e-12)


ALL_FORMS = [
    form
    for name, optimizer in OPTIMIZERS.items()
    for form in (
        [OptimizerForm(name, *of) for of in itertools.product((False, True), ("torch", "keras"))]
        if optimizer.has_velocity
        else [OptimizerForm(name)]
    )
]


@pytest.mark.parametrize("form", ALL_FORMS, ids=str)
def test_a_runs_bits_depend_neither_on_k_nor_on_its_neighbours(form):
    p = 37  # no multiple of any vector's width, so a run's row begins anywhere in a register
    rng = torch.Generator().manual_seed(2)
    start, gradients = torch.randn(p, generator=rng), torch.randn(5, p, generator=rng)

    def train(k: int, place: int, neighbour: float) -> torch.Tensor:
        w = torch.full((k, p), neighbour)
        w[place] = start
        momentum, decay = torch.full((k,), 0.9), torch.full((k,), 1e-3)
        ours = Chained(form, w, momentum=momentum, weight_decay=decay, decays=torch.ones(p))
        for t, gradient in enumerate(gradients):
            g = torch.full((k, p), neighbour)
            g[place] = gradient
            ours.update(g, torch.full((k,), 0.1 / (t + 1)))
        return w[place].clone()

    alone = train(1, 0, 0.0)
    for k, place in [(2, 0), (2, 1), (3, 2), (8, 5), (17, 16)]:
        for neighbour in (1.0, float("nan"), float("inf")):
            assert torch.equal(train(k, place, neighbour), alone)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("kind", ["schedule-free", "prodigy"])
def test_k_runs_at_once_take_the_packages_trajectories(kind):
    cases, quadratic = ORACLES[kind], ORACLES["quadratic"]
    settings = [case["params"] for case in cases]
    curvature, updates, every = tensor(quadratic["curvature"]), quadratic["updates"], quadratic["every"]
    ends = tensor([p["lr"] if isinstance(p["lr"], list) else [p["lr"]] * 2 for p in settings])
    w = tensor([quadratic["start"]] * len(cases))
    ours = Chained(
        OptimizerForm(kind),
        w,
        momentum=tensor([p["momentum"] for p in settings]),
        weight_decay=tensor([p["weight_decay"] for p in settings]),
        decays=torch.ones(4, dtype=torch.float64),
    )
    for t in range(updates):
        rate = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * t / updates
        ours.update(curvature * w, rate)
        if (t + 1) % every == 0:
            for name, mine in (("trained", w), ("evaluated", ours.weights())):
                theirs = tensor([case[name][t // every] for case in cases])
                torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12, msg=f"{name} after update {t + 1}")


@pytest.mark.parametrize("form", ALL_FORMS, ids=str)
def test_where_a_rule_may_look_at_the_direction_it_is_what_the_learning_rate_multiplies(form):
    shown = OPTIMIZERS[form.kind].observable.get(form.velocity, frozenset())
    assert shown <= set(PRODUCTS)
    generator = torch.Generator().manual_seed(3)
    w = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    ours = Chained(form, w, momentum=tensor([0.9, 0.5]), weight_decay=tensor([0.0, 0.1]), decays=torch.ones(5))
    moves = []
    for rate in (0.1, 0.01, 0.1):
        before = w.clone()
        gradient = torch.randn(2, 5, generator=generator, dtype=torch.float64)
        direction = ours.update(gradient, tensor([rate, rate]))
        moves.append(torch.allclose(before - w, rate * direction, rtol=1e-9, atol=1e-12))
    if shown & {"grad_dot_direction", "grad_dot_previous"}:
        assert all(moves)
