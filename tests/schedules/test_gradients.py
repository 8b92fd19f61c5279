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
    with pytest.raises(RuntimeError, match=r"there are none: call observe\(loss\) after loss.backward\(\)"):
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


@pytest.mark.parametrize(("kind", "fields"), RULES)
def test_complex_parameters_are_their_parts(kind, fields):
    """As SGD takes them."""
    rates = []
    for whole in (True, False):
        weight = torch.ones(4, dtype=torch.complex64 if whole else torch.float32)
        weights = [torch.nn.Parameter(weight)] + [torch.nn.Parameter(torch.zeros(4))] * (not whole)
        optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.5, weight_decay=0.01)
        scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 100, 10)
        for gradient in gradients(4):
            parts = [gradient, gradient.flip(0)]
            for w, g in zip(weights, [torch.complex(*parts)] if whole else parts, strict=True):
                w.grad = g
            scheduler.observe(1.0)
            rates += scheduler.get_last_lr()
            optimizer.step()
            scheduler.step()
    assert rates[:4] == pytest.approx(rates[4:], rel=1e-5)


STILL = r"^observe\(\) was called while every gradient was 0, with a loss of 4.5: \w+ looks at gradients"


def loop(kind, fields, order, set_to_none, accumulate=1, scaled=False):
    """Some updates on a convex loss, their calls in ``order``: z: zero_grad, b: backward, o: observe."""
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([weight], lr=0.01)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 20, 5)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, enabled=scaled)  # the first updates are skipped
    for _ in range(6):
        for call in order:
            loss = ((weight - 3) ** 2).sum() / 2
            if call == "z":
                optimizer.zero_grad(set_to_none)
            elif call == "b":
                for _ in range(accumulate):
                    scaler.scale(((weight - 3) ** 2).sum() / 2 / accumulate).backward()
                scaler.unscale_(optimizer)
            else:
                scheduler.observe(loss)
        scaler.step(optimizer)
        scale = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= scale:
            scheduler.step()
    return scheduler


@pytest.mark.parametrize(("kind", "fields"), RULES)
@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_loss_shown_after_backward_warns_of_nothing(kind, fields, set_to_none, accumulate, scaled):
    scheduler = loop(kind, fields, "zbo", set_to_none, accumulate, scaled)
    assert 0 < scheduler.last_epoch <= 6 - scaled


@pytest.mark.parametrize(("kind", "fields"), RULES)
def test_a_loss_shown_while_every_gradient_is_0_warns_once(kind, fields):
    with pytest.warns(UserWarning, match=STILL) as caught:
        loop(kind, fields, "zob", set_to_none=False)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.raises(RuntimeError, match="there are none"):
        loop(kind, fields, "zob", set_to_none=True)


def test_no_gradient_is_right_where_there_is_no_loss_or_it_is_tiny():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES["polyak"](c=1.0), 20, 5)
    for gradient, loss in [([0.0, 0.0], 0.0), ([0.0, 1e-30], 1.0), ([0.0, 0.0], math.nan)]:
        weight.grad = torch.tensor(gradient)
        scheduler.observe(loss)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("kind", "fields", "gradient", "loss"),
    [("polyak", {"c": 1.0}, 1e20, 1.0), ("hypergradient", {"beta": 1e-3}, 1e20, 1.0), ("exp_loss", {}, 1.0, math.nan)],
)
def test_a_rule_that_is_never_shown_a_finite_update_says_so_once(kind, fields, gradient, loss):
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 200, 10)

    def go(updates):
        for _ in range(updates):
            weight.grad = torch.full((2,), gradient)
            scheduler.observe(loss)
            optimizer.step()
            scheduler.step()

    go(49 + (kind == "hypergradient"))  # whose first update has nothing to multiply with
    with pytest.warns(UserWarning, match=rf"^{kind} has ignored the last 50 losses: each was not finite, or") as caught:
        go(60)
    assert len(caught) == 1
