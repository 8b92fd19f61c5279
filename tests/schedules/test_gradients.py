"""What is measured for gradient rules: of any type, on any device, and of updates that are made alone."""

import math

import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler

RULES = [("polyak", {"c": 0.5}), ("alig", {}), ("l4", {"alpha": 0.1}), ("hypergradient", {"beta": 1e-4})]
EVERY = [
    *RULES,
    ("exp_loss", {}),
    ("exp_loss", {"signal": "ema"}),
    ("exp_loss_relative", {"gain": 1.0}),
    ("loss_ratio", {"power": 1.0}),
    ("greedy_lr", {"factor": 0.5, "signal": "batch", "patience": 0}),
]


class NoDouble(torch.Tensor):
    """A stand-in for a device without float64."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        out = super().__torch_function__(function, types, args, kwargs or {})
        if isinstance(out, NoDouble) and out.dtype == torch.float64:
            raise TypeError("no float64 on this device")
        return out


def train(kind, fields, gradients, spoilt=(), like=lambda g: g, dtype=torch.float32, momentum=0.5):
    """Learning rates after each observation, (updates,); the updates ``spoilt`` maps to a value are skipped by a scaler."""
    weights = [torch.nn.Parameter(torch.ones(4, dtype=dtype)), torch.nn.Parameter(torch.ones(4, dtype=dtype))]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=momentum, weight_decay=0.01)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 100, 10)
    rates, spoilt = [], dict(spoilt)
    for t, gradient in enumerate(gradients):
        loss = 1 / (1 + t)
        for w in weights:
            w.grad = like(gradient.to(dtype))
        if t in spoilt:
            what, value = spoilt[t]
            broken = [w.grad.clone() for w in weights]
            if what == "gradient":
                broken[1][2] = value
            for w, g in zip(weights, broken, strict=True):
                w.grad = like(g)
            before = scheduler.get_last_lr()
            scheduler.observe(value if what == "loss" else loss)
            assert scheduler.get_last_lr() == before
            for w in weights:
                w.grad = like(gradient.to(dtype))
        scheduler.observe(loss)
        rates += scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return rates


def gradients(n=8):
    return list(torch.randn(n, 4, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize(("kind", "fields"), EVERY)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("at", [(0,), (2,), (0, 1, 5)])
def test_a_skipped_update_leaves_no_trace(kind, fields, value, at):
    whole = train(kind, fields, gradients())
    kinds = ["loss"] if (kind, fields) not in RULES else ["loss", "gradient"]
    for what in kinds:
        assert train(kind, fields, gradients(), [(t, (what, value)) for t in at]) == whole


def test_infinities_of_both_signs_and_overflowing_products_are_skipped_too():
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["hypergradient"](beta=1e-4), 100, 10)
    for gradient in ([math.inf, -math.inf, 0, 1.0], [1.0] * 4, [3e38] * 4, [1.0] * 4):
        weight.grad = torch.tensor(gradient)
        scheduler.observe(1.0)
        if gradient == [1.0] * 4:
            optimizer.step()
            scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.1 + 1e-4 * 4])


def test_a_rate_that_would_be_minus_infinity_is_kept():
    """In a sweep, where an update is never skipped: it used to be 0 for ever."""
    from decaybench.schedules import trace

    products = {"grad_dot_previous": [0.0, -math.inf, 1.0, math.inf]}
    scales = trace(SCHEDULES["hypergradient"](beta=0.1), 4, 4, [1.0] * 4, products=products)
    assert scales.tolist() == pytest.approx([1.0, 1.0, 1.1, 1.1])


@pytest.mark.parametrize(("kind", "fields"), RULES)
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_nothing_needs_float64_on_the_device(kind, fields, momentum):
    without = train(kind, fields, gradients(), like=lambda g: g.as_subclass(NoDouble), momentum=momentum)
    assert without == train(kind, fields, gradients(), momentum=momentum)


@pytest.mark.parametrize(("kind", "fields"), RULES)
@pytest.mark.parametrize(("dtype", "digits"), [(torch.bfloat16, 3e-2), (torch.float16, 5e-3), (torch.float32, 1e-5)])
def test_halves_are_multiplied_and_summed_in_float32(kind, fields, dtype, digits):
    exact = train(kind, fields, gradients(4), dtype=torch.float64, momentum=0.0)
    assert train(kind, fields, gradients(4), dtype=dtype, momentum=0.0) == pytest.approx(exact, rel=digits)


def test_a_long_half_gradients_norm_does_not_overflow():
    weight = torch.nn.Parameter(torch.zeros(100_000, dtype=torch.float16))
    optimizer = torch.optim.SGD([weight], lr=10.0)
    scheduler = TorchScheduler(optimizer, SCHEDULES["polyak"](c=1.0, smoothing=False), 10, 5)
    weight.grad = torch.full_like(weight, 2.0)
    scheduler.observe(1e5)
    assert scheduler.get_last_lr() == pytest.approx([0.25])


def test_types_may_be_mixed_and_gradients_missing():
    weights = [
        torch.nn.Parameter(torch.ones(2, dtype=dtype)) for dtype in (torch.float16, torch.float64, torch.float32)
    ]
    optimizer = torch.optim.SGD([{"params": weights[:2]}, {"params": weights[2:]}], lr=10.0)
    scheduler = TorchScheduler(optimizer, SCHEDULES["alig"](), 10, 5)
    for weight in weights[:2]:
        weight.grad = torch.ones_like(weight)
    scheduler.observe(1.0)
    assert scheduler.get_last_lr() == pytest.approx([1 / (4 + 1e-5)] * 2)
    weights[0].grad = weights[1].grad = None
    with pytest.raises(RuntimeError, match=r"there are none: observe\(loss\) comes after loss.backward\(\)"):
        scheduler.observe(1.0)


def test_a_real_scalers_first_updates_are_skipped():
    """On a CPU: its scale begins at 65536 and is halved until half precision holds the gradients."""
    torch.manual_seed(0)
    net, x = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 1)), 4 * torch.randn(16, 8)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    scheduler = TorchScheduler(optimizer, SCHEDULES["hypergradient"](beta=1e-4), 100, 10)
    rates, skipped = [], 0
    for _ in range(20):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = (net(x).float() ** 2).mean()
        scaler.scale(loss).backward()
        before = [w.detach().clone() for w in net.parameters()]
        inf = any(not w.grad.isfinite().all() for w in net.parameters())
        scaler.unscale_(optimizer)
        scheduler.observe(loss)
        scaler.step(optimizer)
        scaler.update()
        if inf:
            skipped += 1
            assert all(a.equal(b) for a, b in zip(before, net.parameters(), strict=True))
            assert scheduler.get_last_lr() == (rates[-1:] or [0.01])
        else:
            scheduler.step()
        rates += scheduler.get_last_lr()
    assert 0 < skipped < 19
    assert rates[-1] > 0.01
    assert all(math.isfinite(rate) for rate in rates)
