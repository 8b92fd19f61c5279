"""Updates against the frameworks they are named after."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, trace
from decaybench.training.optimizers import OptimizerForm, make_optimizer

FROZEN = json.loads((Path(__file__).parents[1] / "data" / "frameworks.json").read_text())


@pytest.mark.parametrize("case", FROZEN["sgd"], ids=lambda c: json.dumps(c["params"]))
def test_keras_sgd_trajectories(case):
    """Keras' legacy SGD, weights in float64, its hyperparameters held in float32."""
    lr, momentum, decay = (float(np.float32(case["params"][key])) for key in ("lr", "momentum", "decay"))
    updates = len(case["lr"])
    scales = trace(SCHEDULES["time_based"](decay=decay), total_steps=updates, steps_per_epoch=updates)
    a = torch.tensor(case["a"], dtype=torch.float64)
    w = torch.tensor([case["w"][0]], dtype=torch.float64)
    optimizer = make_optimizer(
        OptimizerForm(nesterov=case["params"]["nesterov"], velocity="keras"),
        w,
        momentum=torch.tensor([momentum], dtype=torch.float64),
        weight_decay=torch.zeros(1, dtype=torch.float64),
        decays=torch.ones(3, dtype=torch.float64),
    )
    for i, scale in enumerate(scales):
        np.testing.assert_allclose(w[0], case["w"][i], rtol=0, atol=1e-12)
        assert lr * float(scale) == pytest.approx(case["lr"][i], rel=1e-7)  # frozen nominally, not in float32
        optimizer.step(w, optimizer.direct(w, a * w), torch.tensor([lr * float(scale)], dtype=torch.float64))
    np.testing.assert_allclose(w[0], case["w"][updates], rtol=0, atol=1e-12)


FORMS = [
    OptimizerForm(),
    OptimizerForm(nesterov=True),
    OptimizerForm("adam"),
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
    ours = make_optimizer(form, w, momentum=momentum, weight_decay=decay, decays=decays)
    for t in range(updates):
        ours.step(w, ours.direct(w, curvature * w), rates[t])

    for i in range(k):
        decaying = torch.nn.Parameter(start[i, decays == 1].clone())
        free = torch.nn.Parameter(start[i, decays == 0].clone())
        groups = [
            {"params": [decaying], "weight_decay": float(decay[i])},
            {"params": [free], "weight_decay": 0.0},
        ]
        if form.kind == "adam":
            theirs = torch.optim.Adam(groups, lr=1.0, betas=(float(momentum[i]), 0.999))
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


@pytest.mark.parametrize(
    "form",
    [
        OptimizerForm(kind, nesterov, velocity)
        for kind, nesterov, velocity in itertools.product(("sgd",), (False, True), ("torch", "keras"))
    ]
    + [OptimizerForm("adam"), OptimizerForm("schedule-free"), OptimizerForm("prodigy")],
    ids=str,
)
def test_a_runs_bits_depend_neither_on_k_nor_on_its_neighbours(form):
    p = 37  # no multiple of any vector's width, so a run's row begins anywhere in a register
    rng = torch.Generator().manual_seed(2)
    start, gradients = torch.randn(p, generator=rng), torch.randn(5, p, generator=rng)

    def train(k: int, place: int, neighbour: float) -> torch.Tensor:
        w = torch.full((k, p), neighbour)
        w[place] = start
        momentum, decay = torch.full((k,), 0.9), torch.full((k,), 1e-3)
        ours = make_optimizer(form, w, momentum=momentum, weight_decay=decay, decays=torch.ones(p))
        for t, gradient in enumerate(gradients):
            g = torch.full((k, p), neighbour)
            g[place] = gradient
            ours.step(w, ours.direct(w, g), torch.full((k,), 0.1 / (t + 1)))
        return w[place].clone()

    alone = train(1, 0, 0.0)
    for k, place in [(2, 0), (2, 1), (3, 2), (8, 5), (17, 16)]:
        for neighbour in (1.0, float("nan"), float("inf")):
            assert torch.equal(train(k, place, neighbour), alone)
