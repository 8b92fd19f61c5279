"""Rules on several parameter groups: each knows its own learning rate. torch's own plateau runs beside ours."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from decaybench.schedules import SCHEDULES, TorchScheduler
from schedules.loops import plateau, rates_of, sgd, update

RATES = [(0.0, 0.1), (1e-9, 0.1), (0.1, 0.0, 1e-9), (1.0, 1e-3), (0.3, 0.3), (0.02, 5.0, 0.0, 1e-7)]


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(("patience", "cooldown", "least"), [(0, 0, 0.0), (2, 0, 0.1), (1, 3, 0.0)])
def test_the_plateau_is_torchs_for_each_group(rates, mode, threshold_mode, patience, cooldown, least):
    given = {"factor": 0.3, "patience": patience, "cooldown": cooldown, "threshold_mode": threshold_mode, "mode": mode}
    ours = plateau(sgd(*rates), threshold=0.01, min_scale=least, **given)
    torchs = ReduceLROnPlateau(sgd(*rates), threshold=0.01, min_lr=[least * rate for rate in rates], **given)
    generator = torch.Generator().manual_seed(patience)
    for loss in (torch.randn(60, generator=generator) + 0.5).cumsum(0).div(10).tolist():
        update(ours, loss)
        torchs.step(loss)
        assert ours.get_last_lr() == rates_of(ours) == pytest.approx(torchs.get_last_lr(), rel=1e-12, abs=0)
    assert ours.get_last_lr() != list(rates)  # it cut


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.0, torch.tensor(0.5)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_plateau_takes_any_metric_as_torch_does(mode, value):
    ours, torchs = plateau(sgd(0.1, 2.0), mode=mode), ReduceLROnPlateau(sgd(0.1, 2.0), mode, factor=0.5, patience=0)
    for metric in (1.0, value, 1.0, value, value, -0.99995, -1.0, -1.00005, 0.0, 1e-9):
        update(ours, metric)
        torchs.step(metric)
        assert ours.get_last_lr() == pytest.approx(torchs.get_last_lr(), rel=1e-12, abs=0)


def test_the_first_group_may_be_frozen_under_greedy_lr():
    ours = TorchScheduler(sgd(0.0, 1e-9, 0.1), SCHEDULES["greedy_lr"](factor=0.5, patience=0), 100, 1)
    update(ours, 1.0)
    assert ours.get_last_lr() == [0.0, 1e-9, 0.2]  # the first loss is the best yet
    update(ours, 2.0)
    assert ours.get_last_lr() == [0.0, 1e-9, 0.1]


def alone(kind, rates, gradients, momentum=0.0, **fields):
    """The learning rates of one scheduler per group, each on an optimizer of its own."""
    return [trained(kind, [rate], [[g[i]] for g in gradients], momentum, **fields)[0] for i, rate in enumerate(rates)]


def trained(kind, rates, gradients, momentum=0.0, **fields):
    """The learning rates (groups,) after updates of these gradients, one number a group."""
    optimizer = sgd(*rates, momentum=momentum)
    scheduler = TorchScheduler(optimizer, SCHEDULES[kind](**fields), 1000, 10)
    for row in gradients:
        for member, gradient in zip(optimizer.param_groups, row, strict=True):
            member["params"][0].grad = torch.tensor([gradient])
        scheduler.observe(0.7)
        last = scheduler.get_last_lr()
        optimizer.step()
        scheduler.step()
    return last


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_hypergradient_is_one_rule_per_learning_rate(momentum):
    generator = torch.Generator().manual_seed(0)
    rates, gradients = [1e-3, 1.0, 0.05], torch.randn(12, 3, generator=generator).tolist()
    together = trained("hypergradient", rates, gradients, momentum, beta=0.01)
    assert together == pytest.approx(alone("hypergradient", rates, gradients, momentum, beta=0.01), rel=1e-6)
    order = [2, 0, 1]
    turned = trained(
        "hypergradient", [rates[i] for i in order], [[g[i] for i in order] for g in gradients], momentum, beta=0.01
    )
    assert turned == [together[i] for i in order]


def test_hypergradient_has_no_hold_of_another_group():
    """The second group's share used to be a thousand times the first's."""
    last = trained("hypergradient", [1e-3, 1.0], [[0.1, 0.1]] * 3, beta=0.1)
    assert last == pytest.approx([0.003, 1.002], rel=1e-6)


def test_groups_at_one_learning_rate_are_one_group_to_hypergradient():
    """Weights with decay and biases without, say."""
    gradients = torch.randn(12, 2, generator=torch.Generator().manual_seed(1)).tolist()
    split = trained("hypergradient", [0.05, 0.05], gradients, beta=0.01)
    whole = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.05)
    scheduler = TorchScheduler(whole, SCHEDULES["hypergradient"](beta=0.01), 1000, 10)
    for row in gradients:
        whole.param_groups[0]["params"][0].grad = torch.tensor(row)
        scheduler.observe(0.7)
        last = scheduler.get_last_lr()
        whole.step()
        scheduler.step()
    assert split == pytest.approx(last * 2, rel=1e-6)


@pytest.mark.parametrize("rates", [[1e-3, 1.0], [1.0, 1e-3], [0.2, 0.2], [10.0, 0.3]])
def test_polyak_and_alig_are_one_step_along_the_whole_gradient_capped_by_group(rates):
    step = 0.7 / (0.5**2 + 1.5**2 + 1e-5)
    assert trained("alig", rates, [[0.5, 1.5]]) == pytest.approx([min(step, rate) for rate in rates], rel=1e-6)
    step = 0.7 / (0.5 * (0.5**2 + 1.5**2) + 1e-8)
    last = trained("polyak", rates, [[0.5, 1.5]], c=0.5, smoothing=False)
    assert last == pytest.approx([min(step, rate) for rate in rates], rel=1e-6)


@pytest.mark.parametrize("rates", [[1e-3, 1.0], [1.0, 1e-3], [7.0, 7.0]])
def test_l4_is_one_step_along_the_whole_direction_in_proportion_to_the_base_rates(rates):
    """After the first update the loss falls, along its gradient, by alpha (L - gamma gamma0 L), whatever the rates."""
    last = trained("l4", rates, [[0.5, 1.5]], alpha=0.2)
    assert last[0] / last[1] == pytest.approx(rates[0] / rates[1], rel=1e-9)
    falls = last[0] * 0.5**2 + last[1] * 1.5**2
    assert falls == pytest.approx(0.2 * (0.7 - 0.9 * 0.75 * 0.7), rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("polyak", {"c": 0.5}), ("alig", {}), ("l4", {"alpha": 0.2}), ("hypergradient", {"beta": 0.01})],
)
@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_a_frozen_groups_gradient_does_not_count(kind, fields, frozen):
    rates, gradients = [0.3, 0.1], torch.randn(6, 2, generator=torch.Generator().manual_seed(2)).tolist()
    expected = trained(kind, rates, gradients, 0.5, **fields)
    rates.insert(frozen, 0.0)
    for gradient in gradients:
        gradient.insert(frozen, 1e3)
    expected.insert(frozen, 0.0)
    assert trained(kind, rates, gradients, 0.5, **fields) == expected


def test_a_frozen_group_stays_frozen():
    scheduler = TorchScheduler(sgd(0.0, 0.1), SCHEDULES["exp_loss"](), 10, 1)
    scheduler.observe(5.0)
    update(scheduler)
    assert scheduler.get_last_lr() == [0.0, pytest.approx(0.1 * math.exp(5))]
