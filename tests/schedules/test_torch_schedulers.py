"""Agreement with torch.optim.lr_scheduler where it has the same rule, and with Keras' plateau callback."""

import random

import pytest
import torch
from torch.optim import lr_scheduler

from decaybench.schedules import SCHEDULES, trace

BASE = 0.3


def by_torch(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates, dtype=torch.float64) / BASE


@pytest.mark.parametrize(
    ("make", "kind", "values", "total_steps", "steps"),
    [
        (
            lambda o: lr_scheduler.ExponentialLR(o, 0.93),
            "exponential",
            {"decay_rate": 0.93, "decay_steps": 1},
            60,
            60,
        ),
        (lambda o: lr_scheduler.StepLR(o, 7, 0.4), "step_decay", {"drop": 0.4, "epochs_drop": 7}, 60, 60),
        (
            lambda o: lr_scheduler.MultiStepLR(o, [5, 20, 20, 41], 0.2),
            "multi_step",
            {"milestones": [5, 20, 20, 41], "gamma": 0.2},
            60,
            60,
        ),
        (lambda o: lr_scheduler.PolynomialLR(o, 40, 1.7), "polynomial", {"power": 1.7, "end": 0.0}, 40, 41),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 40, BASE * 0.1), "cosine", {"floor": 0.1}, 40, 41),
        (lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, 40), "linear", {"end": 0.25}, 40, 41),
        (lambda o: lr_scheduler.ConstantLR(o, 1.0), "constant", {}, 40, 40),
        (
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=8, T_mult=2, eta_min=BASE * 0.1),
            "cosine_restarts",
            {"cycles": 3, "mult": 2, "floor": 0.1},
            56,
            56,
        ),
        (
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=7),
            "cosine_restarts",
            {"cycles": 6, "mult": 1},
            42,
            42,
        ),
    ],
)
def test_fixed(make, kind, values, total_steps, steps):
    mine = trace(SCHEDULES[kind](**values), total_steps, 1)
    torch.testing.assert_close(mine, by_torch(make, steps)[:total_steps], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("pct", [0.3, 0.45])
@pytest.mark.parametrize("shape", ["cos", "linear"])
@pytest.mark.parametrize("phases", [2, 3])
def test_one_cycle(pct, shape, phases):
    """torch places its points an update earlier: peak at pct * total_steps - 1, end at total_steps - 1."""
    total = 40

    def make(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer,
            BASE,
            total_steps=total + 1,
            pct_start=(pct * total + 1) / (total + 1),
            anneal_strategy=shape,
            cycle_momentum=False,
            div_factor=20.0,
            final_div_factor=50.0,
            three_phase=phases == 3,
        )

    mine = trace(SCHEDULES["one_cycle"](pct, 0, 20, 50, shape=shape, phases=phases), total, 1)
    torch.testing.assert_close(mine, by_torch(make, total), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("mode", "gamma", "fields"),
    [
        ("triangular", 1.0, {}),
        ("triangular2", 1.0, {"gamma": 0.5, "per": "cycle"}),
        ("exp_range", 0.97, {"gamma": 0.97}),
    ],
)
@pytest.mark.parametrize("half", [1, 5])
def test_triangular(mode, gamma, fields, half):
    def make(optimizer):
        return lr_scheduler.CyclicLR(optimizer, BASE * 0.2, BASE, half, mode=mode, gamma=gamma, cycle_momentum=False)

    mine = trace(SCHEDULES["triangular"](cycles=4, low=0.2, **fields), 8 * half, 1)
    torch.testing.assert_close(mine, by_torch(make, 8 * half), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize("seed", range(12))
def test_reduce_on_plateau(mode, threshold_mode, seed):
    rng = random.Random(seed)
    settings = {
        "factor": rng.uniform(0.1, 0.9),
        "patience": rng.randint(0, 4),
        "threshold": rng.choice([0.0, 1e-4, 0.05]),
        "cooldown": rng.randint(0, 3),
    }
    min_scale = rng.choice([0.0, 1e-3, 0.2])
    losses = [2.0 * 0.97**e * rng.uniform(0.8, 1.2) for e in range(150)]
    if seed % 3 == 0:
        losses[20:23] = [float("nan"), float("inf"), 0.0]
    if mode == "max":  # an accuracy, or a metric below 0
        losses = [(1.0 if seed % 2 else -0.1) - loss for loss in losses]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    settings |= {"mode": mode, "threshold_mode": threshold_mode}
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=min_scale * BASE, **settings)
    expected = []
    for loss in losses:
        expected.append(optimizer.param_groups[0]["lr"] / BASE)
        theirs.step(loss)
    schedule = SCHEDULES["reduce_on_plateau"](**settings, min_scale=min_scale)
    mine = trace(schedule, len(losses), 1, losses, base_lr=BASE)
    assert mine.tolist() == pytest.approx(expected, rel=1e-12, abs=0)
    assert len(set(expected)) > 2  # it was cut


def by_keras(losses, factor, patience, threshold, cooldown, min_lr):
    """keras.callbacks.ReduceLROnPlateau, mode min (for max, of the losses with their signs turned): the rate during each
    epoch.
    """
    rate, best, wait, cooling, rates = BASE, float("inf"), 0, 0, []
    for loss in losses:
        rates.append(rate / BASE)
        if cooling > 0:
            cooling -= 1
            wait = 0
        if loss < best - threshold:
            best, wait = loss, 0
        elif cooling <= 0:
            wait += 1
            if wait >= patience and rate > min_lr:
                rate, cooling, wait = max(rate * factor, min_lr), cooldown, 0
    return rates


@pytest.mark.parametrize("seed", range(16))
def test_reduce_on_plateau_of_keras(seed):
    rng = random.Random(seed)
    settings = {
        "factor": rng.uniform(0.1, 0.9),
        "patience": rng.randint(0, 4),
        "threshold": rng.choice([0.0, 1e-4, 0.05]),
        "cooldown": rng.randint(0, 3),
    }
    min_scale = rng.choice([0.0, 1e-3, 0.2])
    losses = [2.0 * 0.97**e * rng.uniform(0.8, 1.2) for e in range(150)]
    expected = by_keras(losses, **settings, min_lr=min_scale * BASE)
    for mode, sign in (("min", 1), ("max", -1)):
        schedule = SCHEDULES["reduce_on_plateau"](**settings, convention="keras", min_scale=min_scale, mode=mode)
        mine = trace(schedule, len(losses), 1, [sign * loss for loss in losses], base_lr=BASE)
        assert mine.tolist() == pytest.approx(expected, rel=1e-12, abs=0)


def test_threshold_mode_follows_the_convention():
    kind, losses = SCHEDULES["reduce_on_plateau"], [10.0, 9.9995, 9.9994, 9.5, 9.4999, 9.4999]
    fields = {"factor": 0.5, "patience": 1, "cooldown": 0, "threshold": 2e-4}
    for convention, mode in (("torch", "rel"), ("keras", "abs")):
        left_out = trace(kind(**fields, convention=convention), 6, 1, losses)
        assert left_out.equal(trace(kind(**fields, convention=convention, threshold_mode=mode), 6, 1, losses))
    other = [trace(kind(**fields, threshold_mode=mode), 6, 1, losses) for mode in ("rel", "abs")]
    assert not other[0].equal(other[1])
