"""Rules that look at gradients, update by update beside their papers' formulas in numpy; and exp_loss' promises.

The loss is f(w) = sum(a w^2) / 2, trained by torch.optim.SGD under TorchScheduler: its two parameter groups are one
vector to numpy, and weight decay is the first group's only.
"""

import math

import numpy as np
import pytest
import torch

from decaybench.schedules import SCHEDULES, TorchScheduler, trace

A, START = np.array([0.3, 1.0, 2.5, 7.0]), np.array([1.5, -2.0, 0.7, -0.3])
UPDATES, EPOCH = 80, 8


def sps_max(eta0, c, smoothing=True):
    """Loizou 2021, f* = 0: gamma_k = min(f / (c |g|^2), gamma_b), gamma_b = 2^(batch/n) gamma_(k-1) when smoothed."""
    rates = [eta0]

    def rule(loss, g, u, before):
        growth = 2 ** (1 / EPOCH) if smoothing else math.inf
        rates.append(min(loss / (c * g @ g + 1e-8), growth * rates[-1], eta0))
        return rates[-1]

    return rule


def ali_g(eta0):
    """Berrada 2020: gamma = min(f / (|g|^2 + delta), eta)."""
    return lambda loss, g, u, before: min(loss / (g @ g + 1e-5), eta0)


def l4(eta0, alpha, gamma=0.9, gamma0=0.75, tau=1000.0):
    """Rolinek & Martius 2018: eta = alpha (L - gamma Lmin) / (g.v + eps); Lmin starts at gamma0 L, forgets by tau."""
    least = []

    def rule(loss, g, v, before):
        low = min(least[-1], loss) if least else gamma0 * loss
        least.append((1 + 1 / tau) * low)
        return alpha * (loss - gamma * low) / (g @ v + 1e-12) if g @ v > 0 else 0.0

    return rule


def hypergradient(eta0, beta):
    """Baydin 2018: eta_t = eta_(t-1) - beta g_t . dw_t/d(eta), where dw_t/d(eta) = -u_(t-1)."""
    rates = [eta0]

    def rule(loss, g, u, before):
        rates.append(max(rates[-1] + beta * g @ before, 0.0))
        return rates[-1]

    return rule


def by_torch(schedule, eta0, momentum, nesterov, weight_decay):
    """Learning rates (UPDATES,), and the weights before each update and after the last (UPDATES + 1, 4)."""
    first, second = (torch.nn.Parameter(torch.tensor(part)) for part in (START[:2], START[2:]))
    groups = [{"params": [first], "weight_decay": weight_decay}, {"params": [second]}]
    optimizer = torch.optim.SGD(groups, lr=eta0, momentum=momentum, nesterov=nesterov)
    scheduler = TorchScheduler(optimizer, schedule, UPDATES, EPOCH)
    rates, weights = [], [START]
    for _ in range(UPDATES):
        optimizer.zero_grad()
        loss = (torch.tensor(A) * torch.cat([first, second]) ** 2).sum() / 2
        loss.backward()
        scheduler.observe(loss)
        rates += scheduler.get_last_lr()[:1]
        optimizer.step()
        scheduler.step()
        weights.append(torch.cat([first, second]).detach().numpy().copy())
    return np.array(rates), np.array(weights)


def by_numpy(rule, weights, momentum, nesterov, weight_decay):
    """The rule's learning rates, and the weights that SGD goes to, from each of ``weights``.

    It is handed the way, since Polyak's steps on a quadratic are chaotic: two ways part at the last digit's pace.
    """
    v, u, rates, after = np.zeros(4), np.zeros(4), [], []
    for w in weights:
        loss, g = A @ w**2 / 2, A * w
        before, d = u, g + weight_decay * w * [1, 1, 0, 0]
        v = momentum * v + d
        u = d + momentum * v if nesterov else v
        rates.append(rule(loss, g, u, before))
        after.append(w - rates[-1] * u)
    return np.array(rates), np.array(after)


RULES = [  # the kind, the paper's rule, eta0, fields
    ("polyak", sps_max, 1.2, {"c": 0.5}),
    ("polyak", sps_max, 0.4, {"c": 0.5}),
    ("polyak", sps_max, 1.2, {"c": 0.5, "smoothing": False}),
    ("alig", ali_g, 0.5, {}),
    ("alig", ali_g, 10.0, {}),
    ("l4", l4, 0.1, {"alpha": 0.15}),
    ("l4", l4, 7.0, {"alpha": 0.3, "gamma": 0.5, "gamma0": 0.9, "tau": 20.0}),
    ("hypergradient", hypergradient, 0.01, {"beta": 1e-3}),
    ("hypergradient", hypergradient, 0.1, {"beta": 0.02}),
]
SETTINGS = [
    (0.0, False, 0.0),
    (0.0, False, 0.05),
    (0.9, False, 0.0),
    (0.9, False, 0.05),
    (0.9, True, 0.0),
    (0.5, True, 0.05),
]


@pytest.mark.parametrize(("momentum", "nesterov", "weight_decay"), SETTINGS)
@pytest.mark.parametrize(("kind", "paper", "eta0", "fields"), RULES)
def test_the_papers_rule_update_by_update(kind, paper, eta0, fields, momentum, nesterov, weight_decay):
    rates, weights = by_torch(SCHEDULES[kind](**fields), eta0, momentum, nesterov, weight_decay)
    expected, after = by_numpy(paper(eta0, **fields), weights[:-1], momentum, nesterov, weight_decay)
    assert len(set(expected)) > 10  # it moves
    np.testing.assert_allclose(rates, expected, rtol=1e-10, atol=0)
    size = np.abs(weights).max(axis=1, keepdims=True)[:-1]
    assert (np.abs(weights[1:] - after) <= 1e-10 * size).all()


def test_each_bound_of_the_rules_is_met():
    """So that the agreement says something about it: the cap, the growth, the update skipped, the 0."""

    def rates(kind, eta0, momentum, **fields):
        return by_torch(SCHEDULES[kind](**fields), eta0, momentum, False, 0.0)[0]

    assert rates("polyak", 0.4, 0.0, c=0.5).max() == 0.4
    assert rates("alig", 0.5, 0.0).max() == 0.5
    smooth, free = (rates("polyak", 1.2, 0.0, c=0.5, smoothing=smoothing) for smoothing in (True, False))
    assert (smooth[1:] / smooth[:-1]).max() == pytest.approx(2 ** (1 / EPOCH), rel=1e-12)
    assert (free[1:] / free[:-1]).max() > 2
    assert 0.0 in rates("l4", 7.0, 0.9, alpha=0.3, gamma=0.5, gamma0=0.9, tau=20.0)
    assert 0.0 in rates("hypergradient", 0.1, 0.9, beta=0.02)


def test_l4_skips_an_update_whose_direction_is_not_downhill():
    slopes = {"grad_dot_direction": [1.0, 0.0, -1e-13, -1.0]}
    scales = trace(SCHEDULES["l4"](alpha=0.1), 4, 4, [1.0] * 4, products=slopes).tolist()
    assert scales == [pytest.approx(0.1 * (1 - 0.9 * 0.75), rel=1e-11), 0.0, 0.0, 0.0]


def rates_under(schedule, losses, eta0):
    """The learning rate of each update that was shown its loss."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=eta0)
    scheduler = TorchScheduler(optimizer, schedule, len(losses), 4)
    rates = []
    for loss in losses:
        scheduler.observe(loss)
        rates += scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("gain", [0.5, 1.0])
def test_exp_loss_never_compounds(gain):
    losses = [2.0] * 20 + [0.1] + [2.0] * 20
    expected = [0.01 * math.exp(gain * loss) for loss in losses]
    assert rates_under(SCHEDULES["exp_loss"](gain), losses, 0.01) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_exp_loss_begins_at_the_number_of_classes(classes):
    """A softmax that knows nothing has loss ln C; one with small random weights nearly so."""
    generator = torch.Generator().manual_seed(classes)
    x, labels = torch.randn(200, 64, generator=generator), torch.randint(classes, (200,), generator=generator)
    for spread, tolerance in ((0.0, 1e-6), (0.02, 0.1)):
        logits = x @ (spread * torch.randn(64, classes, generator=generator))
        loss = torch.nn.functional.cross_entropy(logits, labels)
        [rate] = rates_under(SCHEDULES["exp_loss"](), [loss], 0.01)
        assert rate == pytest.approx(0.01 * classes, rel=tolerance)


def test_exp_loss_counts_what_it_capped():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    scheduler = TorchScheduler(optimizer, SCHEDULES["exp_loss"](max_scale=5.0), 8, 4)
    counts, rates = [], []
    for loss in (1.0, 1.7, 0.5, torch.tensor(88.8), 0.0, 1e300, math.inf, 0.5):
        scheduler.observe(loss)
        counts.append(scheduler.state.capped.item())
        rates += scheduler.get_last_lr()
        if loss != math.inf:  # that update is skipped
            optimizer.step()
            scheduler.step()
    assert counts == [0, 1, 1, 2, 2, 3, 3, 3]
    expected = [math.e, 5.0, math.exp(0.5), 5.0, 1.0, 5.0, 5.0, math.exp(0.5)]
    assert rates == pytest.approx([0.01 * scale for scale in expected], rel=1e-14)
